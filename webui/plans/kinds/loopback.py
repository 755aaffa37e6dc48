"""Loopback: each picture is the source of the next, while the denoising strength moves.

Every picture's recipe names its source by content, so each can be made again alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Final

from annotated_types import Ge, Le

from webui.core.errors import InvalidRequest
from webui.core.request import Fraction, GenerationRequest, Mode, Source
from webui.plans.kind import (
    MAX_CELLS,
    Grid,
    Kind,
    Place,
    Probe,
    Sources,
    chosen,
    limit,
    settle_seeds,
    with_seed,
)

CURVES: Final = ("linear", "aggressive", "lazy")


@dataclass(frozen=True, kw_only=True)
class LoopbackOptions:
    """How often, and how the strength goes from the request's own to the last one's."""

    loops: Annotated[int, Ge(1), Le(1000)] = 4
    final_denoising_strength: Fraction = 0.5
    curve: str = "linear"
    """"linear", "aggressive" (moves most at the beginning) or "lazy" (at the end)."""


class LoopbackLayout:
    """One chain of pictures for each picture that the request asks for. A picture's seed is one
    more than that of the picture before it."""

    def __init__(self, base: GenerationRequest, source: Source, options: LoopbackOptions) -> None:
        self._base: Final = replace(base, batch_size=1, batch_count=1)
        self._source: Final = source
        self._options: Final = options
        self._chains: Final = base.picture_count
        self.count: Final = self._chains * options.loops

    @property
    def grid(self) -> Grid:
        """The grid at the end."""
        loops = range(self._options.loops)
        return Grid(
            columns=tuple(f"Loop {loop + 1}, denoising {self._strength(loop):g}" for loop in loops),
            rows=("",) * self._chains,
        )

    def request(self, number: int, sources: Sources | None = None) -> GenerationRequest:
        """What cell `number` asks for."""
        chain, loop = divmod(number, self._options.loops)
        source = replace(self._source, denoising_strength=self._strength(loop))
        if loop and sources is not None:
            source = replace(source, image=sources.made_by(number - 1))
        return with_seed(replace(self._base, source=source), chain + loop)

    def label(self, number: int) -> str:
        """What is special about a cell."""
        return f"Loop {number % self._options.loops + 1}"

    def place(self, number: int) -> Place:
        """Where the cell stands in the grid."""
        chain, loop = divmod(number, self._options.loops)
        return Place(column=loop, row=chain)

    def after(self, number: int) -> int | None:
        """The loop before this one."""
        return number - 1 if number % self._options.loops else None

    def probes(self) -> Iterator[Probe]:
        """Requests that are checked first."""
        yield Probe(field="loops", words="Loopback", request=self.request(0))

    def _strength(self, loop: int) -> float:
        """A quarter of a sine for the curves."""
        first, last = self._source.denoising_strength, self._options.final_denoising_strength
        way = loop / max(1, self._options.loops - 1)
        match self._options.curve:
            case "aggressive":
                way = math.sin(way * math.pi / 2)
            case "lazy":
                way = 1 - math.cos(way * math.pi / 2)
        return round(first + (last - first) * way, 6)


def lay_out(base: GenerationRequest, options: LoopbackOptions) -> LoopbackLayout:
    """The chains. Raises InvalidRequest when there is no source to begin with."""
    chosen(options.curve, CURVES, "curve")
    if base.source is None:
        raise InvalidRequest("source.image", "Loopback begins with a picture. Add one.")
    layout = LoopbackLayout(base, base.source, options)
    limit(layout.count, MAX_CELLS, "loops", "pictures")
    return layout


KIND: Final = Kind(
    id="loopback",
    label="Loopback",
    modes=(Mode.IMG2IMG, Mode.INPAINT),
    options=LoopbackOptions,
    settle=settle_seeds,
    lay_out=lay_out,
)
