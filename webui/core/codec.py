"""Our dataclasses to JSON and back, and the messages for values that don't fit.

pydantic reads the `Annotated` ranges of the dataclasses themselves, so that a field's range is
written once; this module only turns its errors into sentences a person can act on.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from webui.core.errors import InvalidRequest

T = TypeVar("T")

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return _cached(cast("Hashable", kind))


@cache
def _cached(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", kind))


def encode(value: object) -> dict[str, Any]:
    """A dataclass as JSON-ready plain data."""
    return cast("dict[str, Any]", _adapter(type(value)).dump_python(value, mode="json"))


def to_json(value: object) -> str:
    """A dataclass as JSON text."""
    return _adapter(type(value)).dump_json(value).decode()


def decode(kind: type[T], data: Mapping[str, object], labels: Mapping[str, str] = NO_LABELS) -> T:
    """A dataclass from plain data. Raises InvalidRequest that names the first field at fault, by
    its label if there is one."""
    try:
        return cast("T", _adapter(kind).validate_python(dict(data)))
    except ValidationError as error:
        raise explain(error.errors()[0], labels) from error


def from_json(kind: type[T], text: str | bytes) -> T:
    """A dataclass from JSON text. Raises InvalidRequest that names the first field at fault."""
    try:
        return cast("T", _adapter(kind).validate_json(text))
    except ValidationError as error:
        raise explain(error.errors()[0]) from error


def check(value: T) -> T:
    """The value itself if every field is in range. Raises InvalidRequest otherwise."""
    return decode(type(value), encode(value))


def explain(error: ErrorDetails, labels: Mapping[str, str] = NO_LABELS) -> InvalidRequest:
    """What pydantic says of one field, in words for a person; the error is not raised."""
    field = ".".join(str(part) for part in error["loc"] if not str(part).endswith(("]", ")")))
    name = field.rsplit(".", 1)[-1]
    label = labels.get(name) or name.replace("_", " ").capitalize() or "The request"
    return InvalidRequest(field, f"{label} {_fault(error)}")


def _fault(error: ErrorDetails) -> str:
    """What is wrong with the value, with the value, and the way out."""
    value, limits = error.get("input"), error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            return f"{value} is too small. The smallest is {_plain(limits['ge'])}."
        case "less_than_equal":
            return f"{value} is too large. The largest is {_plain(limits['le'])}."
        case "multiple_of":
            unit = int(limits["multiple_of"])
            low = int(cast("int", value)) // unit * unit
            return f"{value} is not a multiple of {unit}. Try {low} or {low + unit}."
        case "string_too_long":
            return f"is longer than {limits['max_length']} characters. Shorten it."
        case "enum":
            return f"“{value}” is not one of {limits['expected']}."
        case "int_type" | "float_type" if value is None:
            return "is empty. Enter a number."
        case "int_type" | "int_parsing" | "int_from_float":
            return f"“{str(value)[:80]}” is not a whole number."
        case "float_type" | "float_parsing":
            return f"“{str(value)[:80]}” is not a number."
        case "missing":
            return "is missing."
        case "unexpected_keyword_argument":
            return "is not a known field. Remove it."
        case _:
            return f"“{str(value)[:80]}” can't be used: {error['msg'].lower()}."


def _plain(number: float) -> str:
    """A limit as people write it: 30, 0.1, 4294967295."""
    return f"{int(number)}" if number == int(number) else f"{number:g}"
