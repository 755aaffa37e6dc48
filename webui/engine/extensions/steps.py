"""The hooks of a call of the denoiser. `x` is picture + sigma * noise for every family: all of the
engine walks in that space, and what the network is shown instead is made of it afterwards.

Each extension gets copies: what it does to them in place counts only if it gives them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from torch import Tensor

from webui.core.recipe import Recipe
from webui.engine.architectures.text import Text
from webui.engine.extensions.calls import Calls, Hook
from webui.extend.steps import Guess, StepState

HOOKS: Final = ("step_before", "guidance", "step_after")
ASKER: Final = "asker"
"""The hook of a participant that has an Asker. Not for extensions: old scripts need it."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the network is asked of one text: latents (B, C, h, w) of a noise level."""

    x: Tensor
    sigma: float
    text: Text
    weight: float = 1.0
    is_negative: bool = False


class Asker(Protocol):
    """Sees the network's questions and answers of one run themselves. Raises nothing."""

    @property
    def changes_network(self) -> bool:
        """Whether layers of the network work otherwise than they were made to."""
        ...

    def questions(
        self, index: int, scale: float, asked: Sequence[Question]
    ) -> Sequence[Question] | None:
        """Other questions of call number `index`, in the same order: the positive ones, then the
        negative one. None leaves them as they are."""
        ...

    def combined(
        self, index: int, asked: Sequence[Question], clean: Sequence[Tensor], guess: Tensor
    ) -> Tensor:
        """The guess that counts, of the clean latents of each question."""
        ...

    def finished(self, index: int, x: Tensor, sigma: float, denoised: Tensor) -> Tensor:
        """What the sampler gets. `x` is the sampler's own: what happens to it in place counts."""
        ...


def step_hooks(calls: Calls, recipes: Sequence[Recipe], total: int) -> StepHooks | None:
    """The hooks of a run for these pictures; None where nobody has one."""
    return StepHooks(calls, recipes, total) if calls.has(*HOOKS, ASKER) else None


def _ask_asker(
    recipes: Sequence[Recipe], total: int, call: Hook, known: Asker | None
) -> Asker | None:
    made: Asker | None = call(recipes=recipes, total=total)
    return known or made


class StepHooks:
    """The hooks of one run. `total`: how often the denoiser will be called."""

    def __init__(self, calls: Calls, recipes: Sequence[Recipe], total: int) -> None:
        self._calls: Final = calls
        self._recipes: Final = tuple(recipes)
        self._total: Final = total
        nobody: Asker | None = None
        self.asker: Final = calls.each(ASKER, nobody, partial(_ask_asker, self._recipes, total))
        """Who puts the questions; None where nobody wants to."""

    def before(self, x: Tensor, sigma: float, index: int) -> tuple[Tensor, float]:
        """What the network is asked at this call: latents and their noise level."""
        if not self._calls.has("step_before"):
            return x, sigma
        state = self._calls.each("step_before", self._state(x, sigma, index), _ask_before)
        return state.x, state.sigma

    def combined(
        self, x: Tensor, sigma: float, index: int, scale: float, guesses: Sequence[Tensor | None]
    ) -> Tensor:
        """The guess that counts. `guesses`: with the prompt, without, and the engine's own."""
        cond, uncond, combined = guesses
        assert cond is not None
        assert combined is not None
        guess = Guess(
            cond=cond,
            uncond=uncond,
            combined=combined,
            scale=scale,
            sigma=sigma,
            index=index,
            total=self._total,
            x=x,
        )
        return self._calls.each("guidance", guess, _ask_guidance).combined

    @property
    def guides(self) -> bool:
        """Whether anybody wants to combine guesses."""
        return self._calls.has("guidance")

    def after(self, x: Tensor, sigma: float, index: int, denoised: Tensor) -> Tensor:
        """The guess of the clean latents that the sampler gets."""
        if not self._calls.has("step_after"):
            return denoised
        state = replace(self._state(x, sigma, index), denoised=denoised)
        changed = self._calls.each("step_after", state, _ask_after).denoised
        assert changed is not None
        return changed

    def _state(self, x: Tensor, sigma: float, index: int) -> StepState:
        return StepState(x=x, sigma=sigma, index=index, total=self._total, recipes=self._recipes)


def alike(given: object, before: Tensor) -> Tensor:
    """What an extension gave back, on the device and in the precision of what it was given. Raises
    TypeError or ValueError for what can't stand in its place."""
    if not isinstance(given, Tensor):
        raise TypeError(f"gave a {type(given).__name__} instead of a tensor")
    if given.shape != before.shape:
        raise ValueError(f"gave a tensor of {tuple(given.shape)}, not of {tuple(before.shape)}")
    return given.to(before)


def _ask_before(call: Hook, state: StepState) -> StepState:
    changed = call(state=replace(state, x=state.x.clone()))
    if changed is None:
        return state
    sigma = float(changed.sigma)
    if not 0 < sigma < float("inf"):
        raise ValueError(f"gave the noise level {sigma}; it is a number above 0")
    return replace(state, x=alike(changed.x, state.x), sigma=sigma)


def _ask_guidance(call: Hook, guess: Guess) -> Guess:
    copies = {name: getattr(guess, name).clone() for name in ("cond", "combined", "x")}
    uncond = None if guess.uncond is None else guess.uncond.clone()
    changed = call(guess=replace(guess, uncond=uncond, **copies))
    return guess if changed is None else replace(guess, combined=alike(changed, guess.combined))


def _ask_after(call: Hook, state: StepState) -> StepState:
    assert state.denoised is not None
    given = replace(state, x=state.x.clone(), denoised=state.denoised.clone())
    changed = call(state=given)
    if changed is None:
        return state
    return replace(state, denoised=alike(changed.denoised, state.denoised))
