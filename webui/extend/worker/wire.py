"""Hooks' arguments and results between the server and a worker. Nothing is ever unpickled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

from PIL import Image

from webui.core.codec import decode, encode
from webui.core.frames import Frame
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.extend.data import Grid, ImageItem, JobEnd, SavedImage, Words
from webui.extend.inputs import Choice, Slider, Text, Toggle

KIND: Final = "$"
"""The key that says what an object is."""
WHOLE: Final = MappingProxyType({kind.__name__: kind for kind in (GenerationRequest, Recipe)})
"""Written by the codec, ranges checked on the way in."""
BY_FIELD: Final = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (Words, ImageItem, SavedImage, JobEnd, Grid, Toggle, Slider, Text, Choice)
    }
)


def pack(kind: str, number: int, value: Any) -> Frame:
    """A frame with a value. Raises TypeError for what can't travel."""
    blobs: list[bytes] = []
    packed = _pack(value, blobs)
    lengths = [len(blob) for blob in blobs]
    data = {"value": packed, "lengths": lengths}
    return Frame(kind=kind, batch=number, data=data, payload=b"".join(blobs))


def unpack(frame: Frame) -> Any:
    """The value of a frame. Raises InvalidRequest, KeyError, TypeError, ValueError for nonsense."""
    blobs, at = [], 0
    for length in frame.data["lengths"]:
        blobs.append(frame.payload[at : at + length])
        at += length
    return _unpack(frame.data["value"], blobs)


def _pack(value: Any, blobs: list[bytes]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Image.Image):
        blobs.append(value.tobytes())
        return {KIND: "image", "mode": value.mode, "size": value.size, "blob": len(blobs) - 1}
    if isinstance(value, Path):
        return {KIND: "path", "path": str(value)}
    if type(value).__name__ in WHOLE:
        return {KIND: type(value).__name__, "value": encode(value)}
    if type(value).__name__ in BY_FIELD:
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return {KIND: type(value).__name__, "value": _pack_items(fields, blobs)}
    if isinstance(value, SimpleNamespace):
        return {KIND: "inputs", "value": _pack_items(vars(value), blobs)}
    if isinstance(value, Mapping):
        return {KIND: "map", "value": _pack_items(value, blobs)}
    if isinstance(value, Iterable):
        return [_pack(each, blobs) for each in value]
    raise TypeError(f"A {type(value).__name__} can't be given to another process.")


def _pack_items(values: Mapping[str, Any], blobs: list[bytes]) -> dict[str, Any]:
    return {str(name): _pack(each, blobs) for name, each in values.items()}


def _unpack(packed: Any, blobs: Sequence[bytes]) -> Any:
    if isinstance(packed, list):
        return [_unpack(each, blobs) for each in packed]
    if not isinstance(packed, dict):
        return packed
    kind = packed[KIND]
    if kind == "image":
        return Image.frombytes(packed["mode"], tuple(packed["size"]), blobs[packed["blob"]])
    if kind == "path":
        return Path(packed["path"])
    if kind in WHOLE:
        return decode(WHOLE[kind], packed["value"])
    values = {name: _unpack(each, blobs) for name, each in packed["value"].items()}
    if kind == "map":
        return values
    if kind == "inputs":
        return SimpleNamespace(**values)
    return BY_FIELD[kind](**values)
