"""The inputs of extensions in a picture's text: their keys, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.core.errors import InvalidRequest
from webui.extend.inputs import Input, Slider, Toggle
from webui.extend.running import Running
from webui.imaging.infotext_fields import fields_by_key

_NOT_IN_KEYS: Final = re.compile(r"[^\w \-/]+")
LONGEST_KEY: Final = 100
TRUTHS: Final = MappingProxyType({"true": True, "false": False})


class Texts:
    """Usable from any thread."""

    def __init__(self, running: Running) -> None:
        self._running: Final = running
        self._own: Final = frozenset(fields_by_key())

    def pairs(self, values: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """What a text says of these values: all but what is off or empty by default."""
        written: dict[str, str] = {}
        for key, (id, each) in self._keys().items():
            value = values.get(id, {}).get(each.id)
            if value is None or (value == each.default and (value is False or value == "")):
                continue
            written[key] = _plain(value)
        return written

    def read(self, key: str, text: str) -> tuple[str, str, Any] | None:
        """The extension, the input and the value that a pair of a text means; None when it is
        nobody's. Raises ValueError for a value that doesn't fit."""
        found = self._keys().get(key) or self._scripts_keys().get(key)
        if found is None:
            return None
        id, each = found
        try:
            return id, each.id, each.check(_typed(each, text), each.id)
        except InvalidRequest as error:
            raise ValueError(text) from error

    def _keys(self) -> dict[str, tuple[str, Input]]:
        """Of native extensions, whose inputs the studio writes."""
        keys: dict[str, tuple[str, Input]] = {}
        for id, loaded in self._running.on.items():
            for each in loaded.inputs:
                key = key_of(loaded.name, each)
                if key in keys or key in self._own:
                    key = _clean(f"{id} {each.id}")
                keys[key] = (id, each)
        return keys

    def _scripts_keys(self) -> dict[str, tuple[str, Input]]:
        """Of A1111's scripts, which write their own texts."""
        parts = [*self._running.old_scripts.parts().values()]
        return {  # of two with one key the first counts
            each.infotext: (part.id, each)
            for part in reversed(parts)
            for each in _named(part.inputs)
        }


def key_of(name: str, each: Input) -> str:
    """What a text calls an input: its own word, or the extension's name and the label."""
    return _clean(each.infotext or f"{name} {_small(each.label)}")


def _named(inputs: tuple[Input, ...]) -> Iterator[Input]:
    return (each for each in inputs if each.infotext)


def _small(label: str) -> str:
    """The label as it stands within a sentence; an abbreviation stays as it is."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _clean(key: str) -> str:
    return " ".join(_NOT_IN_KEYS.sub(" ", key).split())[:LONGEST_KEY]


def _plain(value: Any) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _typed(each: Input, text: str) -> Any:
    """The text as a value of the input's kind. Raises ValueError."""
    if isinstance(each, Toggle) or isinstance(each.default, bool):
        if text.lower() not in TRUTHS:
            raise ValueError(text)
        return TRUTHS[text.lower()]
    if isinstance(each, Slider) or isinstance(each.default, int | float):
        return float(text)
    return text
