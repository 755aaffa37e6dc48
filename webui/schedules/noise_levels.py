"""The noise levels that a model was trained on, and the way between them and its timesteps.

Everything that walks works in one space for all models: x = picture + sigma * noise. What a model
was shown instead is a matter of scale: those of the Stable Diffusion kind saw x / sqrt(sigma² + 1),
flow models (1 - t) * picture + t * noise, that is x / (1 + sigma) at t = sigma / (1 + sigma).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul
from typing import Final

NEAR_ZERO_ALPHA: Final = 4.8973451890853435e-08
"""Stands for the 0 at the end of schedules with zero terminal SNR, whose sigma has no end; the
value that the field has settled on."""
FLOW_TIMESTEPS: Final = 1000
LARGEST_T: Final = 0.9999
"""Stands for t = 1, noise alone, whose sigma has no end."""


class NoiseLevels:
    """sigma of each training timestep; between them log sigma is linear. Plain float64.

    sigma is the noise's spread over the picture's: sqrt((1 - a) / a), a = cumulated 1 - beta.
    """

    def __init__(self, betas: Iterable[float], *, has_zero_terminal_snr: bool = False) -> None:
        """`betas`: the noise added at each timestep of the training, as variance.
        `has_zero_terminal_snr`: they were stretched until the last picture was noise alone."""
        alphas: Iterable[float] = accumulate((1 - beta for beta in betas), mul)
        if has_zero_terminal_snr:
            alphas = _stretched(tuple(alphas))
        self._log_sigmas = tuple(math.log((1 - alpha) / alpha) / 2 for alpha in alphas)

    @property
    def smallest(self) -> float:
        """sigma of timestep 0."""
        return math.exp(self._log_sigmas[0])

    @property
    def largest(self) -> float:
        """sigma of the last timestep: what a picture starts from."""
        return math.exp(self._log_sigmas[-1])

    @property
    def last_timestep(self) -> int:
        """The timestep of the largest sigma."""
        return len(self._log_sigmas) - 1

    def sigma(self, timestep: float) -> float:
        """The noise level of a timestep, whole or between two."""
        low = min(int(timestep), self.last_timestep - 1)
        part = timestep - low
        return math.exp(self._log_sigmas[low] * (1 - part) + self._log_sigmas[low + 1] * part)

    def timestep(self, sigma: float) -> float:
        """The timestep of a noise level; levels outside the trained ones take the nearest."""
        wanted = math.log(sigma)
        low = bisect_right(self._log_sigmas, wanted) - 1
        low = min(max(low, 0), self.last_timestep - 1)
        below, above = self._log_sigmas[low], self._log_sigmas[low + 1]
        return low + min(max((wanted - below) / (above - below), 0.0), 1.0)

    def time(self, sigma: float) -> float:
        """What the network is told of a noise level."""
        return self.timestep(sigma)

    def divisor(self, sigma: float) -> float:
        """What x is divided by to be what the network saw: its variance was 1 with the noise
        (Karras et al. 2022, C.1)."""
        return math.sqrt(sigma**2 + 1)

    @property
    def spaced(self) -> NoiseLevels:
        """The levels that schedules space."""
        return self

    def from_spaced(self, sigmas: Sequence[float]) -> tuple[float, ...]:
        """The noise levels that a schedule means which spaced those of `spaced`."""
        return tuple(sigmas)


class FlowLevels(NoiseLevels):
    """The levels of a flow model: t = i / 1000, leaning to the noisy side by a shift.

    t' = s t / (1 + (s - 1) t): Esser et al. 2024, section 5.3.2.
    """

    def __init__(self, shift: float = 1.0) -> None:
        """`shift`: s; 1 leaves t as it is, above that more steps go to noisy levels."""
        even = ((i + 1) / FLOW_TIMESTEPS for i in range(FLOW_TIMESTEPS))
        self._times: Final = tuple(shift * t / (1 + (shift - 1) * t) for t in even)
        self._log_sigmas = tuple(math.log(self._sigma_at(t)) for t in self._times)

    def time(self, sigma: float) -> float:
        """t, from 0 to 1."""
        return 1.0 if self._is_top(sigma) else sigma / (1 + sigma)

    def divisor(self, sigma: float) -> float:
        """At the top the network sees noise alone, as it did in its training."""
        return sigma if self._is_top(sigma) else 1 + sigma

    @property
    def spaced(self) -> NoiseLevels:
        """Schedules space t, as they do everywhere for flow models."""
        return _Times(self._times)

    def from_spaced(self, sigmas: Sequence[float]) -> tuple[float, ...]:
        """From times to noise levels."""
        return tuple(self._sigma_at(t) for t in sigmas)

    def _is_top(self, sigma: float) -> bool:
        return sigma >= self._sigma_at(1.0) * (1 - 1e-6)

    def _sigma_at(self, t: float) -> float:
        t = min(t, LARGEST_T)
        return t / (1 - t)


class _Times(NoiseLevels):
    """A flow's times in the place of noise levels."""

    def __init__(self, times: Sequence[float]) -> None:
        self._log_sigmas = tuple(map(math.log, times))

    @property
    def largest(self) -> float:
        """1 to the last bit, where the logarithm's way back may miss it."""
        return min(math.exp(self._log_sigmas[-1]), 1.0)


def _stretched(alphas: Sequence[float]) -> list[float]:
    """Lin et al. 2023, algorithm 1: the square roots moved and scaled, the first as it was."""
    roots = [math.sqrt(alpha) for alpha in alphas]
    first, last = roots[0], roots[-1]
    stretched = [((root - last) * first / (first - last)) ** 2 for root in roots]
    return [*stretched[:-1], NEAR_ZERO_ALPHA]
