"""Values of declared inputs that the command line gives: they stand in the controls at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from webui.core.errors import InvalidRequest
from webui.extend.inputs import Input, Slider, Toggle

FIELD: Final = "ext_input"
TRUTHS: Final = ("true", "on", "yes", "1")
LIES: Final = ("false", "off", "no", "0")

Given = Mapping[str, Mapping[str, str]]
"""Words by extension and input."""


def read_given(text: str) -> Given:
    """ "film-look.enabled=true; film-look.grain=0.4" by extension and input. Raises
    InvalidRequest."""
    found: dict[str, dict[str, str]] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        path, is_set, value = part.partition("=")
        extension, dot, input = path.strip().partition(".")
        if not (is_set and dot and extension and input):
            raise InvalidRequest(
                FIELD,
                f"“{part}” gives no input a value. Write extension.input=value, for example "
                "film-look.grain=0.4, with semicolons between several.",
            )
        found.setdefault(extension, {})[input] = value.strip()
    return found


def with_given(inputs: Sequence[Input], given: Mapping[str, str], id: str) -> tuple[Input, ...]:
    """The inputs of an extension, those that are given with other defaults. Raises
    InvalidRequest."""
    known = {each.id for each in inputs}
    for name in given:
        if name not in known:
            raise InvalidRequest(
                FIELD,
                f"--ext-input {id}.{name}: there is no such input. There are: "
                f"{', '.join(sorted(known)) or 'none'}.",
            )
    return tuple(
        replace(each, default=_read(each, given[each.id], id)) if each.id in given else each
        for each in inputs
    )


def _read(each: Input, text: str, id: str) -> Any:
    field = f"--ext-input {id}.{each.id}={text}"
    try:
        return each.check(_value(each, text), FIELD)
    except InvalidRequest as error:
        raise InvalidRequest(FIELD, f"{field}: {error.message}") from error


def _value(each: Input, text: str) -> Any:
    """What the words mean for this kind of input; the words where they mean nothing."""
    if isinstance(each, Toggle) and text.lower() in (*TRUTHS, *LIES):
        return text.lower() in TRUTHS
    if isinstance(each, Slider):
        try:
            return float(text)
        except ValueError:
            return text
    return text
