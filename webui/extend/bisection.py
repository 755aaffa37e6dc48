"""Looking for the extension that makes trouble, by halves: is it still there with these on?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """One step of the search. Those among `suspects` that are not in `on` are held back; all
    others run as they did. The first step holds all back: the trouble may be no extension's."""

    suspects: tuple[str, ...]
    """In their order, so that a half never lacks what it requires."""
    on: tuple[str, ...] = ()
    is_over: bool = False
    culprit: str = ""
    """When it is over: who it was; empty for no extension."""
    has_begun: bool = False
    """Whether the trouble is known to go when all suspects are off."""

    @property
    def held(self) -> frozenset[str]:
        """Who is kept off in this step."""
        return frozenset(() if self.is_over else self.suspects) - frozenset(self.on)

    @property
    def steps_left(self) -> int:
        """About how many more answers it takes."""
        return 0 if self.is_over else len(self.suspects).bit_length() + (not self.has_begun) - 1


def begin(ids: Sequence[str]) -> Bisection:
    """The first step, with all of these off."""
    return Bisection(suspects=tuple(ids), is_over=not ids)


def answered(step: Bisection, *, is_bad: bool) -> Bisection:
    """The next step, after somebody looked whether the trouble is there in this one."""
    if not step.has_begun:
        if is_bad:
            return replace(step, is_over=True)
        return _halved(step.suspects)
    left = step.on if is_bad else tuple(id for id in step.suspects if id not in step.on)
    return _halved(left)


def _halved(suspects: tuple[str, ...]) -> Bisection:
    if len(suspects) == 1:
        return Bisection(suspects=suspects, culprit=suspects[0], is_over=True, has_begun=True)
    return Bisection(suspects=suspects, on=suspects[: len(suspects) // 2], has_begun=True)
