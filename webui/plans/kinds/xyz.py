"""X/Y/Z plot: every combination of the values of up to three axes, as one grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated, Any, Final

from annotated_types import Ge, Le, MaxLen

from webui.core.errors import InvalidRequest
from webui.core.registry import Registry
from webui.core.request import GenerationRequest
from webui.plans.axes import NOTHING, load_axes
from webui.plans.axis import PREFIX, Axes, Axis
from webui.plans.kind import (
    MAX_CELLS,
    PAINTING,
    Draw,
    Grid,
    Independent,
    Kind,
    Place,
    Probe,
    Sources,
    fixed,
    limit,
    with_seed,
)
from webui.plans.values import csv_line

LETTERS: Final = ("x", "y", "z")


@dataclass(frozen=True, kw_only=True)
class AxisChoice:
    """An axis by its id, and its values as they were written."""

    axis: str = NOTHING.id
    values: Annotated[str, MaxLen(20_000)] = ""


@dataclass(frozen=True, kw_only=True)
class XyzOptions:
    """Three axes, any of which may be nothing, and how the grid looks."""

    x: AxisChoice = field(default_factory=AxisChoice)
    y: AxisChoice = field(default_factory=AxisChoice)
    z: AxisChoice = field(default_factory=AxisChoice)
    vary_seeds: bool = False
    """Each cell gets a seed of its own; otherwise all have the same."""
    has_legend: bool = True
    has_sub_grids: bool = False
    margin: Annotated[int, Ge(0), Le(500)] = 0


@dataclass(frozen=True, kw_only=True)
class Side:
    """One axis with its values read."""

    letter: str
    axis: Axis
    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What stands beside the grid."""
        if self.axis.id == NOTHING.id:
            return ("",)
        return tuple(f"{self.axis.label}: {self.axis.show(value)}" for value in self.values)

    def put(self, request: GenerationRequest, place: int) -> GenerationRequest:
        """The request with one of the values. Raises InvalidRequest that names axis and value."""
        try:
            return self.axis.put(request, self.values[place], self.values)
        except InvalidRequest as error:
            raise self.fault(place, error) from error

    def fault(self, place: int, error: InvalidRequest) -> InvalidRequest:
        """The error, told with the axis and the value."""
        return InvalidRequest(f"{self.letter}.values", f"{self.words(place)}: {error.message}")

    def probe(self, place: int, request: GenerationRequest) -> Probe:
        """A request with this value, to be checked."""
        return Probe(field=f"{self.letter}.values", words=self.words(place), request=request)

    def words(self, place: int) -> str:
        """Axis and value."""
        shown = self.axis.show(self.values[place])
        return f"{self.letter.upper()} axis, {self.axis.label} “{shown}”"


class XyzLayout(Independent):
    """The cells, in an order in which what is slow to change changes least."""

    def __init__(self, base: GenerationRequest, options: XyzOptions, sides: Sequence[Side]) -> None:
        self._base: Final = base
        self._options: Final = options
        self._sides: Final = tuple(sides)
        self.count: Final = math.prod(len(side.values) for side in sides)

    @property
    def grid(self) -> Grid:
        """The grid at the end."""
        columns, rows, sheets = (side.labels for side in self._sides)
        return Grid(
            columns=columns,
            rows=rows,
            sheets=sheets,
            margin=self._options.margin,
            has_legend=self._options.has_legend,
            has_sub_grids=self._options.has_sub_grids and len(sheets) > 1,
        )

    def request(self, number: int, sources: Sources | None = None) -> GenerationRequest:
        """What cell `number` asks for."""
        request, places = self._base, self._places(number)
        for at in self._by_cost:
            request = self._sides[at].put(request, places[at])
        return with_seed(request, number) if self._options.vary_seeds else request

    def label(self, number: int) -> str:
        """What is special about a cell."""
        places = zip(self._sides, self._places(number), strict=True)
        return " · ".join(filter(None, (side.labels[place] for side, place in places)))

    def place(self, number: int) -> Place:
        """Where the cell stands in the grid."""
        column, row, sheet = self._places(number)
        return Place(column=column, row=row, sheet=sheet)

    def probes(self) -> Iterator[Probe]:
        """Each value of each axis once, beside the first values of the others."""
        request = self._base
        sides = [self._sides[at] for at in self._by_cost if self._sides[at].axis is not NOTHING]
        for side in sides:  # one after the other, so that the right one is blamed
            request = side.put(request, 0)
            yield side.probe(0, request)
        for side in sides:
            for place in range(1, len(side.values)):
                yield side.probe(place, side.put(request, place))

    @cached_property
    def _by_cost(self) -> tuple[int, ...]:
        """The sides, dearest first: a refiner is there before its switch is set."""
        return tuple(sorted(range(3), key=lambda at: -self._sides[at].axis.cost))

    @cached_property
    def _nested(self) -> tuple[int, ...]:
        """The sides from the outermost loop, whose value changes least, to the innermost."""
        return tuple(sorted((2, 1, 0), key=lambda at: -self._sides[at].axis.cost))

    def _places(self, number: int) -> tuple[int, int, int]:
        """Which value of each side cell `number` has."""
        places = [0, 0, 0]
        for at in reversed(self._nested):
            number, places[at] = divmod(number, len(self._sides[at].values))
        return places[0], places[1], places[2]


def lay_out(base: GenerationRequest, options: XyzOptions, axes: Axes = load_axes) -> XyzLayout:
    """The cells of a plot. Raises InvalidRequest that names the axis."""
    known = axes()
    sides = [_side(letter, getattr(options, letter), known) for letter in LETTERS]
    ids = [side.axis.id for side in sides if side.axis.id != NOTHING.id]
    if not ids:
        raise InvalidRequest("x.axis", "All axes are “Nothing”. Choose what varies along one.")
    for letter, side in zip(LETTERS, sides, strict=True):
        if ids.count(side.axis.id) > 1:
            raise InvalidRequest(
                f"{letter}.axis", f"Two axes are “{side.axis.label}”. Choose another for one."
            )
    layout = XyzLayout(base, options, sides)
    limit(layout.count, MAX_CELLS, "x.values", "cells")
    return layout


def settle(
    base: GenerationRequest, options: XyzOptions, draw: Draw, axes: Axes = load_axes
) -> tuple[GenerationRequest, XyzOptions]:
    """Draws the seeds that were left to chance, in the request and for -1 on an axis."""
    known = axes()
    options = replace(
        options,
        x=_drawn("x", options.x, draw, known),
        y=_drawn("y", options.y, draw, known),
        z=_drawn("z", options.z, draw, known),
    )
    noise = base.noise
    if noise.variation_seed is None:
        varies = any("variation" in getattr(options, letter).axis for letter in LETTERS)
        noise = replace(noise, variation_seed=draw()) if varies else noise
    return fixed(replace(base, noise=noise), draw), options


def _drawn(letter: str, choice: AxisChoice, draw: Draw, axes: Registry[Axis]) -> AxisChoice:
    axis = axes.get(choice.axis)
    if axis is None or not axis.is_random:
        return choice
    seeds = [draw() if value == -1 else value for value in _side(letter, choice, axes).values]
    return replace(choice, values=csv_line([str(seed) for seed in seeds]))


def _side(letter: str, choice: AxisChoice, axes: Registry[Axis]) -> Side:
    axis = axes.get(choice.axis)
    if axis is None:
        known = ", ".join(axis.id for axis in axes)
        off = " Its extension is not on: switch it on." if choice.axis.startswith(PREFIX) else ""
        raise InvalidRequest(
            f"{letter}.axis", f"There is no axis “{choice.axis}”.{off} Choose one of: {known}."
        )
    if axis.id == NOTHING.id:
        return Side(letter=letter, axis=axis, values=("",))
    try:
        values = tuple(axis.read(choice.values))
    except InvalidRequest as error:
        words = f"{letter.upper()} axis, {axis.label}: {error.message}"
        raise InvalidRequest(f"{letter}.values", words) from error
    if not values:
        raise InvalidRequest(
            f"{letter}.values",
            f"{letter.upper()} axis, {axis.label}: there are no values. "
            f"For example: {axis.example}.",
        )
    return Side(letter=letter, axis=axis, values=values)


def plot(axes: Axes) -> Kind:
    """The kind with these axes."""
    return Kind(
        id="xyz",
        label="X/Y/Z plot",
        modes=PAINTING,
        options=XyzOptions,
        settle=partial(settle, axes=axes),
        lay_out=partial(lay_out, axes=axes),
        with_axes=plot,
    )


KIND: Final = plot(load_axes)
