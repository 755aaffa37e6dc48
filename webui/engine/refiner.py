"""The hand-over from one checkpoint to another in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import Tensor

from webui.samplers.sampler import Denoise
from webui.schedules.noise_levels import NoiseLevels

MakeDenoise = Callable[[int], Denoise]
"""A denoiser that goes on after so many calls of another."""


class Relay:
    """A denoiser that is another one from a timestep on. By the timestep, not by the step, as
    A1111 does: so a sampler that asks between two steps gets the model that knows that noise."""

    def __init__(
        self, first: Denoise, levels: NoiseLevels, switch_at: float, second: MakeDenoise
    ) -> None:
        """`switch_at`: the part of the training's timesteps that the first one does. `second` is
        called once, when the switch comes, and may load a model."""
        self._current = first
        self._levels: Final = levels
        self._switch_at: Final = switch_at
        self._second: Final = second
        self._calls = 0
        self._has_switched = False

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The guess of whichever is on."""
        return self._on_duty(sigma)(x, sigma)

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The guided and the unguided guess of whichever is on."""
        return self._on_duty(sigma).both(x, sigma)

    def _on_duty(self, sigma: float) -> Denoise:
        last = self._levels.last_timestep
        done = (last - round(self._levels.timestep(sigma))) / (last + 1)
        if not self._has_switched and done >= self._switch_at:
            self._current, self._has_switched = self._second(self._calls), True
        self._calls += 1
        return self._current
