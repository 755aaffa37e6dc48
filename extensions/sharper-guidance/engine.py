"""Each step of a run: the sigma that the network is told, and how its two answers are combined."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

from torch import Tensor

from webui.extend import Guess, StepState, hook

STRONGEST: float = 0.25
"""How much less noise the model is told of in the middle of the run, at a detail of 1."""


@hook
def step_before(state: StepState, inputs: SimpleNamespace) -> StepState | None:
    """Nothing at the ends of the run, where the layout and the last touches are made."""
    if not inputs.detail:
        return None
    bend = math.sin(math.pi * state.index / max(1, state.total - 1))
    return replace(state, sigma=state.sigma * (1 - STRONGEST * inputs.detail * bend))


@hook
def guidance(guess: Guess, inputs: SimpleNamespace) -> Tensor | None:
    """Adaptive projected guidance, Sadat et al. 2024 (arXiv 2410.02416), eq. 7, without momentum:
    of the difference between the two guesses, what points along the guided one is what burns."""
    if guess.uncond is None:
        return None
    along, across = _split(guess.cond - guess.uncond, guess.cond)
    return guess.cond + (guess.scale - 1) * (across + inputs.parallel * along)


def _split(difference: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The part along the direction and the rest, for each picture by itself, in float64: sums
    over many values."""
    unit = direction.double()
    length = unit.square().sum(dim=(1, 2, 3), keepdim=True)
    share = (difference.double() * unit).sum(dim=(1, 2, 3), keepdim=True) / length
    along = (share * unit).to(difference.dtype)
    return along, difference - along
