"""Arguments of Gradio 3 and 4 in the words of Gradio 6.

Only data and pure functions: `webui.compat.gradio3.adapter` calls them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
from gradio.blocks import Blocks

CLOSED_CLASS: Final = "gesso-old-closed"
"""On accordions that are drawn open and closed by the bridge: what lies in a closed one is not
there for old JavaScript."""
LEGACY_CLASS: Final = "gesso-old"
"""On every component that an old script made: styles, the bridge and lenient lists go by it."""

HIDDEN_CLASS: Final = "gesso-old-hidden"
"""On rows and columns that are hidden: those Gradio draws or leaves out, nothing in between."""
_BY_CLASS: Final = (gr.Row, gr.Column)

_SOURCES: Final = ("upload", "webcam", "clipboard", "microphone")
_FILE_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"bytes": "binary", "file": "filepath", "file_obj": "filepath", "tempfile": "filepath"}
)
_RENAMED: Final[Mapping[str, str]] = MappingProxyType(
    {"source": "sources", "default": "value", "min": "minimum", "max": "maximum", "grid": "columns"}
)
"""What goes by another name now; dropped where the class has no such argument either."""
_OF_THE_LAUNCH: Final = ("css", "css_paths", "theme", "js", "head", "head_paths")
"""Of Blocks: A1111 never used those of a tab's either."""
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*")

Arguments = dict[str, Any]


def component_arguments(cls: type, given: Mapping[str, Any], known: Collection[str]) -> Arguments:
    """What `cls` is to be made with; `known` are the names of the arguments that it has."""
    told = _renamed(given, known)
    if issubclass(cls, gr.Textbox) and told.get("value") is None:
        told["value"] = ""  # extensions split it into lines
    if issubclass(cls, gr.Dropdown) and "value" not in told:
        told["value"] = [] if told.get("multiselect") else None
    for name in ("choices", "samples"):
        if name in told and not isinstance(told[name], list) and told[name] is not None:
            told[name] = list(told[name])
    _fix_types(cls, told)
    _fix_look(cls, told, known)
    if issubclass(cls, gr.Accordion) and told.get("open", True) is False:
        told |= {"open": True, "elem_classes": [*told["elem_classes"], CLOSED_CLASS]}
    dropped = _OF_THE_LAUNCH if issubclass(cls, Blocks) else ()
    return {n: value for n, value in told.items() if n in known and n not in dropped}


def update_arguments(given: Mapping[str, Any], part: Any = None) -> Arguments:
    """What a control is changed with by `gr.update` or by a component's own `update`; `part` is
    the one that it is for, where that is known."""
    told = {name: value for name, value in given.items() if name != "__type__"}
    if isinstance(part, _BY_CLASS) and told.get("visible") is not None:
        is_seen = told.pop("visible") is True
        own = [name for name in part.elem_classes if name != HIDDEN_CLASS]
        told |= {"visible": True, "elem_classes": own if is_seen else [*own, HIDDEN_CLASS]}
    elif told.get("visible") is False and not isinstance(part, gr.Tab):
        told["visible"] = "hidden"
    if isinstance(told.get("choices"), Iterable) and not isinstance(told["choices"], list):
        told["choices"] = list(told["choices"])
    return told


def event_arguments(given: Mapping[str, Any], known: Collection[str]) -> Arguments:
    """What an event is wired with. Nothing of old scripts is offered to other programs."""
    told = dict(given)
    if "_js" in told:
        told["js"] = told.pop("_js")
    if isinstance(told.get("js"), str):
        told["js"] = called(told["js"])
    for name in ("inputs", "outputs"):
        if isinstance(told.get(name), list | tuple):
            told[name] = list(_flat(told[name]))
    told["api_name"] = None
    told["api_visibility"] = "private"
    return {name: value for name, value in told.items() if name in known}


def _flat(parts: Iterable[Any]) -> Iterable[Any]:
    """Lists in lists as one; in place of a part that a script did not find, one that is empty, or
    the whole page could not be told to the browser."""
    for part in parts:
        if isinstance(part, list | tuple):
            yield from _flat(part)
        else:
            yield gr.State(None) if part is None else part


def called(js: str) -> str:
    """The JavaScript of an event as a function: a bare name may be defined later."""
    js = js.strip()
    return f"(...args) => {js}(...args)" if _PLAIN_NAME.fullmatch(js) else js


def _renamed(given: Mapping[str, Any], known: Collection[str]) -> Arguments:
    told: Arguments = {}
    for name, value in given.items():
        other = _RENAMED.get(name, name)
        if name in known or other not in known:
            told[name] = value
        elif name == "source":
            told[other] = [value] if value in _SOURCES else ["upload"]
        elif other not in given:
            told[other] = value
    return told


def _fix_types(cls: type, told: Arguments) -> None:
    if issubclass(cls, gr.File | gr.UploadButton) and told.get("type") in _FILE_TYPES:
        told["type"] = _FILE_TYPES[told["type"]]
    if issubclass(cls, gr.Image) and told.get("type") == "file":
        told["type"] = "filepath"
    if issubclass(cls, gr.Slider | gr.Number) and isinstance(told.get("value"), str):
        told["value"] = _number(told["value"])
    if issubclass(cls, gr.Slider):
        told.setdefault("buttons", [])
        low, high = told.get("minimum", 0), told.get("maximum", 100)
        if isinstance(low, int | float) and isinstance(high, int | float) and high <= low:
            told["maximum"] = low + 1  # as long as there is nothing to choose, some have both alike
    if issubclass(cls, gr.HTML):
        told.setdefault("js_on_load", None)  # it would be compiled anew for each of them
    if "scale" in told and isinstance(told["scale"], float):
        told["scale"] = max(1, round(told["scale"]))
    if isinstance(told.get("variant"), str) and told["variant"] not in _variants(cls):
        told["elem_classes"] = [*_classes(told), told.pop("variant")]


def _number(text: str) -> float | None:
    """Numbers were read from texts once."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else value


def _variants(cls: type) -> tuple[str, ...]:
    if issubclass(cls, gr.Button):
        return ("primary", "secondary", "stop", "huggingface")
    return ("default", "panel", "compact")


def _fix_look(cls: type, told: Arguments, known: Collection[str]) -> None:
    if told.get("visible") is False and issubclass(cls, _BY_CLASS):
        told |= {"visible": True, "elem_classes": [*_classes(told), HIDDEN_CLASS]}
    elif told.get("visible") is False and not issubclass(cls, gr.Tab):
        told["visible"] = "hidden"  # old JavaScript finds what is hidden
    if "elem_classes" in known and LEGACY_CLASS not in _classes(told):
        told["elem_classes"] = [*_classes(told), LEGACY_CLASS]
    if "label" in known and isinstance(told.get("label"), bool | int | float):
        told["label"] = str(told["label"])


def _classes(told: Mapping[str, Any]) -> list[str]:
    classes = told.get("elem_classes") or []
    return classes.split() if isinstance(classes, str) else [str(each) for each in classes]
