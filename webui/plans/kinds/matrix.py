"""Prompt matrix: "a|b|c" makes a picture for every choice of the parts behind the first bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from annotated_types import Ge, Le

from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest
from webui.plans.axis import put_at
from webui.plans.kind import (
    MAX_CELLS,
    PAINTING,
    Grid,
    Independent,
    Kind,
    Place,
    Probe,
    Sources,
    chosen,
    limit,
    settle_seeds,
    with_seed,
)

MOST_PARTS: Final = 13
PROMPTS: Final = ("prompt", "negative_prompt")
OPENING: Final = "([{<"
CLOSING: Final = ")]}>"


@dataclass(frozen=True, kw_only=True)
class MatrixOptions:
    """Which prompt is cut into parts, and how they are put together again."""

    which: str = "prompt"
    """"prompt" or "negative_prompt"."""
    is_at_start: bool = False
    """The chosen parts stand before what is always there."""
    delimiter: str = ", "
    vary_seeds: bool = False
    has_legend: bool = True
    margin: Annotated[int, Ge(0), Le(500)] = 0


class MatrixLayout(Independent):
    """Bit k of a cell's number says whether part k is in its prompt."""

    def __init__(
        self, base: GenerationRequest, options: MatrixOptions, parts: Sequence[str]
    ) -> None:
        self._base: Final = base
        self._options: Final = options
        self._always, *self._parts = parts
        self._across: Final = (len(self._parts) + 1) // 2
        """How many of the parts vary from column to column; the rest from row to row."""
        self.count: Final = 2 ** len(self._parts)

    @property
    def grid(self) -> Grid:
        """The grid at the end."""
        across, down = self._parts[: self._across], self._parts[self._across :]
        return Grid(
            columns=_labels(across),
            rows=_labels(down),
            margin=self._options.margin,
            has_legend=self._options.has_legend,
        )

    def request(self, number: int, sources: Sources | None = None) -> GenerationRequest:
        """What cell `number` asks for."""
        options = self._options
        parts = [self._always, *_of(self._parts, number)]
        if options.is_at_start:
            parts = parts[1:] + parts[:1]
        words = options.delimiter.join(part for part in parts if part)
        request = put_at(self._base, options.which, words)
        return with_seed(request, number) if options.vary_seeds else request

    def label(self, number: int) -> str:
        """What is special about a cell."""
        return ", ".join(_of(self._parts, number)) or "no part"

    def place(self, number: int) -> Place:
        """Where the cell stands in the grid."""
        row, column = divmod(number, 2**self._across)
        return Place(column=column, row=row)

    def probes(self) -> Iterator[Probe]:
        """The longest prompt: all parts together."""
        request = self.request(self.count - 1)
        yield Probe(field=self._options.which, words="Prompt matrix", request=request)


def parts_of(text: str) -> list[str]:
    """The parts between bars; a bar within brackets, as in [a|b], parts nothing."""
    parts, depth = [""], 0
    for sign in text:
        depth = max(0, depth + (sign in OPENING) - (sign in CLOSING))
        if sign == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def lay_out(base: GenerationRequest, options: MatrixOptions) -> MatrixLayout:
    """The cells of a matrix. Raises InvalidRequest."""
    which = chosen(options.which, PROMPTS, "which")
    always, *parts = parts_of(getattr(base, which))
    parts = [part for part in parts if part]
    if not parts:
        raise InvalidRequest(
            which, "There is no | in the prompt. Write “a cat|in winter|at night”, for example."
        )
    limit(len(parts), MOST_PARTS, which, "parts")
    layout = MatrixLayout(base, options, [always, *parts])
    limit(layout.count, MAX_CELLS, which, "cells")
    return layout


def _of(parts: Sequence[str], bits: int) -> list[str]:
    return [part for at, part in enumerate(parts) if bits >> at & 1]


def _labels(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(", ".join(_of(parts, bits)) for bits in range(2 ** len(parts)))


KIND: Final = Kind(
    id="matrix",
    label="Prompt matrix",
    modes=PAINTING,
    options=MatrixOptions,
    settle=settle_seeds,
    lay_out=lay_out,
)
