"""What a reader of another program's metadata is, and the table of all of them.

Everything in a picture may have been written by anybody: readers take what they understand and
pass over the rest, and none of them raises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

import webui.imaging.foreign
from webui.core.registry import Registry, discover
from webui.imaging.infotext import Infotext, read_infotext

A1111: Final = "A1111"
PARAMETERS: Final = "parameters"
OURS: Final = "Gesso"
FORGE: Final = ("f1.", "f2.", "neo", "forge")
"""How Forge's versions begin."""

Texts = Mapping[str, str]
"""The texts in a file by their names in it."""
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One file in foreign/. `read` gives None for texts that are not this program's."""

    id: str
    label: str
    read: Callable[[Texts], Infotext | None]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a picture says about how it was made, and which program said it."""

    generator: str
    infotext: Infotext


class Settings:
    """Collects settings under A1111's names."""

    def __init__(self) -> None:
        self._values: Final[dict[str, str]] = {}

    def put(self, key: str, value: object) -> None:
        """Keep a number or a text; anything else, and nothing, is passed over."""
        if isinstance(value, str | int | float) and value != "":
            self._values[key] = str(value)

    def put_size(self, width: object, height: object) -> None:
        """Keep a size if both sides are there."""
        if isinstance(width, int) and isinstance(height, int):
            self._values["Size"] = f"{width}x{height}"

    def infotext(self, prompt: object, negative_prompt: object) -> Infotext:
        """The whole."""
        return Infotext(
            prompt=prompt if isinstance(prompt, str) else "",
            negative_prompt=negative_prompt if isinstance(negative_prompt, str) else "",
            settings=MappingProxyType(self._values),
        )


def told_by(texts: Texts) -> Told | None:
    """What the texts of a file say, by the first reader that understands them, else as A1111's;
    None when they say nothing."""
    for reader in _readers():
        infotext = reader.read(texts)
        if infotext is not None:
            return Told(generator=reader.label, infotext=infotext)
    text = texts.get(PARAMETERS, "")
    if not text.strip():
        return None
    infotext = read_infotext(text)
    return Told(generator=_a1111_or_kin(infotext.settings), infotext=infotext)


def json_of(text: str | None) -> Json:
    """The object that a text holds as JSON; empty when it holds none."""
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def dict_of(value: object) -> Json:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def with_networks(prompt: object, networks: list[tuple[str, object]]) -> str:
    """A prompt with a tag behind it for each network and its weight."""
    text = prompt if isinstance(prompt, str) else ""
    tags = [
        f"<lora:{name}:{weight}>"
        for name, weight in networks
        if name and isinstance(weight, int | float)
    ]
    return " ".join([text, *tags]).strip()


def stem(path: object) -> str:
    """A file's name without folders and suffix, from either kind of path."""
    name = str(path or "").replace("\\", "/").rsplit("/", 1)[-1]
    for suffix in (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf"):
        name = name.removesuffix(suffix)
    return name


def _readers() -> Registry[Reader]:
    return Registry(cast("list[Reader]", discover(webui.imaging.foreign, "READER")))


def _a1111_or_kin(settings: Mapping[str, str]) -> str:
    version, app = settings.get("Version", ""), settings.get("App", "")
    if version.startswith(OURS):
        return OURS
    if app:
        return app
    return "Forge" if version.lower().startswith(FORGE) else A1111
