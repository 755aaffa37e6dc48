"""The range of each field of a request, read from the annotations in core: sliders ask here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MultipleOf

from webui.core.request import GenerationRequest


@dataclass(frozen=True, kw_only=True)
class Range:
    """Smallest and largest value of a number, and the step between two values."""

    minimum: float
    maximum: float
    step: float


@cache
def range_of(path: str, fine: float = 0.01) -> Range:
    """The range of the number at a path such as "sampling.steps"; `fine` is the step of a float."""
    return _range(_annotation(path), fine)


def default_of(path: str) -> Any:
    """The value of the field at a path when nobody set it; in a part that is optional, the one it
    has as soon as the part is there."""
    *parents, name = path.split(".")
    owner: Any = GenerationRequest
    for parent in parents:
        owner = _dataclass(_hints(owner)[parent])
    found = next(field for field in fields(owner) if field.name == name)
    if found.default_factory is not MISSING:
        return found.default_factory()
    return found.default


def range_in(annotation: object, fine: float = 0.1) -> Range | None:
    """The range written in one annotation, or None when it has none."""
    found = list(_annotated(annotation))
    return _range(found[0], fine) if found else None


def _annotation(path: str) -> Any:
    owner: Any = GenerationRequest
    for name in path.split("."):
        owner = _hints(_dataclass(owner))[name]
    return next(_annotated(owner))


@cache
def _hints(owner: Any) -> dict[str, Any]:
    return get_type_hints(owner, include_extras=True)


def _annotated(hint: Any) -> Iterator[Any]:
    """The Annotated parts of a hint, also inside `X | None`."""
    if get_origin(hint) is Annotated:
        yield hint
    else:
        for part in get_args(hint):
            yield from _annotated(part)


def _dataclass(hint: Any) -> Any:
    return next((part for part in get_args(hint) if part is not type(None)), hint)


def _range(annotation: Any, fine: float) -> Range:
    kind, *limits = get_args(annotation)
    by_type = {type(limit): limit for limit in limits}
    step = by_type[MultipleOf].multiple_of if MultipleOf in by_type else None
    return Range(
        minimum=by_type[Ge].ge,
        maximum=by_type[Le].le,
        step=step or (1 if kind is int else fine),
    )
