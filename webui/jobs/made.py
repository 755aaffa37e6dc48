"""Pictures that are made and not yet saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from PIL import Image

from webui.core.events import ImageReady
from webui.core.recipe import Recipe

OF_ANY_NUMBER: Final = 10_000
"""Stands for the pictures of a job whose number nobody knows: as far apart extra ones lie there."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture of a job, and the extra ones that came with it.

    Those are saved first: a picture that is there after a crash is there with all that belongs to
    it, and one that is not is made again with the same numbers.
    """

    index: int
    image: Image.Image
    recipe: Recipe
    facts: Mapping[str, str] = field(default_factory=dict)
    extras: tuple[Made, ...] = ()


def extra_index(index: int, number: int, pictures: int) -> int:
    """The index of the extra picture `number` of picture `index`: behind all `pictures` of the job,
    and the same whenever it is made."""
    return index + pictures * (number + 1)


def is_extra(index: int, pictures: int) -> bool:
    """Whether it is the index of an extra picture."""
    return index >= pictures


def is_open_ended(recipe: Recipe) -> bool:
    """Whether extensions may make another number of pictures than were asked for: one that takes
    the job over, or old scripts."""
    return recipe.script is not None or any(map(is_old_script, recipe.extensions))


def is_old_script(id: str) -> bool:
    """Whether it is the id of a script written for A1111: those have a slash."""
    return "/" in id


class Batch:
    """The pictures of a batch as they come: each is held back until it is clear that nothing more
    belongs to it. Extra ones that come before the first belong to that."""

    def __init__(self, first: Recipe, indices: Sequence[int] | None, *, may_add: bool) -> None:
        """`first` is the recipe of the job's picture 0. Without `indices` pictures are numbered as
        they come. Unless the batch `may_add`, nothing is held."""
        self._first: Final = first
        self._indices: Final = indices
        self._may_add: Final = may_add
        self._held: Made | None = None
        self._early: list[ImageReady] = []
        self._count = 0

    def take(self, event: ImageReady) -> Made | None:
        """A picture that came; the one that is whole now, if any."""
        if event.is_extra:
            self._early.append(event)
            return None
        whole = self.end()
        index = self._count if self._indices is None else self._indices[event.index]
        self._count += 1
        recipe = event.recipe or self._first.at(index)
        self._held = Made(index=index, image=event.image, recipe=recipe, facts=event.facts)
        return whole if self._may_add else self.end()

    def forget(self) -> None:
        """Drop what is held: the batch is made again."""
        self._held, self._early = None, []

    def end(self) -> Made | None:
        """The last picture, once no more will come."""
        if self._held is None:
            return None
        held, early = self._held, self._early
        extras = tuple(
            replace(held, image=e.image, recipe=e.recipe or held.recipe, facts=e.facts)
            for e in early
        )
        self._held, self._early = None, []
        return replace(held, extras=extras)
