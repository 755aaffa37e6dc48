"""The axes that extensions bring: one for each input that they declare, and those of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest, Mode
from webui.extend import registered
from webui.extend.extension import Extension
from webui.extend.extensions import Extensions
from webui.extend.inputs import Choice, Input, Slider, Toggle
from webui.extend.legacy import LegacyInput, LegacyPart
from webui.extend.loaded import ENABLED
from webui.plans.axes import load_axes
from webui.plans.axis import PREFIX, Axes, Axis, plain
from webui.plans.values import numbers, whole_numbers, words

TRUTHS = ("true", "false")
_NOT_IN_IDS = re.compile(r"[^a-z0-9]+")


def plot_axes(extensions: Extensions) -> Axes:
    """All axes of a studio: its own, then those of the extensions that are on."""
    return lambda: load_axes(extension_axes(extensions))


def extension_axes(extensions: Extensions) -> Iterator[Axis]:
    """Those of all extensions that are on."""
    for extension in extensions.all():
        for each in extension.inputs if extension.is_on else ():
            yield input_axis(extension, each)
    for id, added in extensions.axes():
        yield _own_axis(extensions.get(id), added)
    legacy = extensions.legacy
    for part in () if legacy is None else legacy.parts():
        if Mode.EXTRAS not in part.modes:
            yield from (_legacy_axis(part, each) for each in part.inputs)


def _legacy_axis(part: LegacyPart, each: LegacyInput) -> Axis:
    """The axis of a control of an old script, or one that it added to A1111's plot."""

    def put(request: GenerationRequest, value: Any, _: Sequence[Any]) -> GenerationRequest:
        values = {**request.extensions.get(part.id, {}), each.id: each.check(value, "values")}
        return replace(request, extensions={**request.extensions, part.id: values})

    is_truth = isinstance(each.default, bool)
    is_number = isinstance(each.default, int | float) and not is_truth
    return Axis(
        id=f"{PREFIX}{part.id}.{each.id}",
        label=each.label if each.label.startswith("[") else f"[{part.title}] {each.label}",
        read=_truths if is_truth else numbers if is_number else words,
        put=put,
        show=_shown,
        example="true, false" if is_truth else "values, with commas between them",
        names=TRUTHS if is_truth else (),
    )


def _truths(text: str) -> list[bool]:
    return [_truth(part) for part in words(text)]


def input_axis(extension: Extension, each: Input) -> Axis:
    """The axis of one declared input: each value is checked as in any request."""
    names = _names(each)
    return Axis(
        id=f"{PREFIX}{extension.id}.{each.id}",
        label=f"[{extension.name}] {each.label}",
        read=_read(each),
        put=_put(extension, each),
        show=_shown,
        example=", ".join(names) or _example(each),
        names=names,
    )


def _own_axis(extension: Extension, added: registered.Axis) -> Axis:
    slug = _NOT_IN_IDS.sub("_", added.label.lower()).strip("_")

    def put(request: GenerationRequest, value: Any, _: Sequence[Any]) -> GenerationRequest:
        return added.apply(request, value)

    return Axis(
        id=f"{PREFIX}{extension.id}:{slug}",
        label=f"[{extension.name}] {added.label}",
        read=lambda text: [added.read(part) for part in words(text)],
        put=put,
        show=_shown,
        example=", ".join(added.choices) or "values, with commas between them",
        names=tuple(added.choices),
    )


def _put(
    extension: Extension, each: Input
) -> Callable[[GenerationRequest, Any, Sequence[Any]], GenerationRequest]:
    has_switch = any(one.id == ENABLED for one in extension.inputs)
    usual = {one.id: one.default for one in extension.inputs}

    def put(request: GenerationRequest, value: Any, _: Sequence[Any]) -> GenerationRequest:
        values = dict(request.extensions.get(extension.id, {}))
        if has_switch and each.id != ENABLED and not values.get(ENABLED, usual[ENABLED]):
            raise InvalidRequest(
                f"extensions.{extension.id}",
                f"{extension.name} is switched off for this picture. Switch it on.",
            )
        values[each.id] = each.check(value, "values")
        return replace(request, extensions={**request.extensions, extension.id: values})

    return put


def _read(each: Input) -> Callable[[str], Sequence[Any]]:
    if isinstance(each, Toggle):
        return _truths
    if isinstance(each, Slider):
        return whole_numbers if each.is_whole else numbers
    return words


def _truth(part: str) -> bool:
    if part.lower() not in TRUTHS:
        raise InvalidRequest("values", f"“{part}” is not one of {', '.join(TRUTHS)}.")
    return part.lower() == "true"


def _names(each: Input) -> tuple[str, ...]:
    if isinstance(each, Toggle):
        return TRUTHS
    return tuple(each.choices) if isinstance(each, Choice) else ()


def _example(each: Input) -> str:
    if isinstance(each, Slider):
        return f"{each.low:g}-{each.high:g} [3]"
    return "texts, with commas between them"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return plain(value) if isinstance(value, float) else str(value)
