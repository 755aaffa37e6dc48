"""What every kind of plan gives: its options, and the layout that turns them into requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from webui.core.errors import InvalidRequest
from webui.core.request import MAX_SEED, GenerationRequest, InputId, Mode
from webui.plans.axis import Axes

Draw = Callable[[], int]
"""A random seed."""

MAX_CELLS: Final = 10_000
PAINTING: Final = (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a cell stands in the grid, each counted from 0."""

    column: int
    row: int
    sheet: int = 0


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The grid to be drawn at the end. One label for each column, row and sheet; sheets stand
    side by side. `margin` is in pixels, between cells."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    sheets: tuple[str, ...] = ("",)
    margin: int = 0
    has_legend: bool = True
    has_sub_grids: bool = False
    """Each sheet as a picture of its own, too."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One request of a plan, to be checked before anything is made. `field` and `words` say
    where in the options it comes from."""

    field: str
    words: str
    request: GenerationRequest


class Sources(Protocol):
    """What a cell's request may need that is only known when its turn comes."""

    def made_by(self, number: int) -> InputId:
        """The picture that an earlier cell made, as a source."""
        ...

    def told_by(self, image: InputId) -> GenerationRequest | None:
        """What a picture says of how it was made; None when it says nothing."""
        ...


class Layout(Protocol):
    """All cells of one plan; the same each time it is made from the same settled options."""

    @property
    def count(self) -> int:
        """How many cells there are."""
        ...

    @property
    def grid(self) -> Grid | None:
        """What is drawn at the end; None for nothing."""
        ...

    def request(self, number: int, sources: Sources) -> GenerationRequest:
        """What cell `number` asks for."""
        ...

    def label(self, number: int) -> str:
        """What is special about a cell, in a few words."""
        ...

    def place(self, number: int) -> Place:
        """Where the cell stands in the grid."""
        ...

    def after(self, number: int) -> int | None:
        """The earlier cell whose picture this one starts from; None when it needs none."""
        ...

    def probes(self) -> Iterator[Probe]:
        """Requests that are checked before anything is made."""
        ...


class Independent:
    """What layouts have in common whose cells start from no other cell; without a grid unless
    they give one."""

    @property
    def grid(self) -> Grid | None:
        """Nothing is drawn."""
        return None

    def label(self, number: int) -> str:
        """Nothing special."""
        return ""

    def place(self, number: int) -> Place:
        """One behind the other."""
        return Place(column=number, row=0)

    def after(self, number: int) -> int | None:
        """No cell waits for another."""
        return None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of plan. `settle` fixes what is left to chance, so that the same cells come out
    after a restart; `lay_out` raises InvalidRequest with the option at fault."""

    id: str
    label: str
    modes: tuple[Mode, ...]
    options: type[Any]
    settle: Callable[[GenerationRequest, Any, Draw], tuple[GenerationRequest, Any]]
    lay_out: Callable[[GenerationRequest, Any], Layout]
    is_complete: bool = True
    """Whether the request itself can be made, before anything is varied."""
    with_axes: Callable[[Axes], Kind] | None = None
    """The same kind with other axes than those that come with the program, where it has any."""


def fixed(request: GenerationRequest, draw: Draw) -> GenerationRequest:
    """The request with its seeds drawn, so that all cells have the same."""
    noise = request.noise
    if noise.variation_strength and noise.variation_seed is None:
        noise = replace(noise, variation_seed=draw())
    return replace(request, seed=draw() if request.seed is None else request.seed, noise=noise)


def settle_seeds(
    request: GenerationRequest, options: Any, draw: Draw
) -> tuple[GenerationRequest, Any]:
    """Settles a kind that leaves nothing but seeds to chance."""
    return fixed(request, draw), options


def with_seed(request: GenerationRequest, more: int) -> GenerationRequest:
    """The request with a seed that is larger by `more`, beginning again at 0 after the last."""
    return replace(request, seed=((request.seed or 0) + more) % (MAX_SEED + 1))


def square(count: int) -> Grid:
    """A grid for cells without axes: about as many columns as rows, no labels."""
    columns = max(1, round(count**0.5))
    rows = -(-count // columns)
    return Grid(columns=("",) * columns, rows=("",) * rows, has_legend=False)


def limit(count: int, most: int, field: str, what: str) -> None:
    """Raises InvalidRequest when there are too many or none."""
    if count < 1:
        raise InvalidRequest(field, f"There is nothing to make: no {what}. Add some.")
    if count > most:
        raise InvalidRequest(
            field, f"{count} {what} are too many. The most is {most}: leave some out."
        )


def chosen(value: str, choices: Sequence[str], field: str) -> str:
    """The value if it is one of the choices. Raises InvalidRequest."""
    if value not in choices:
        raise InvalidRequest(field, f"“{value}” is not one of {', '.join(choices)}.")
    return value
