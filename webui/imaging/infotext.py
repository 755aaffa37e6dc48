"""A1111's `parameters` text: writing it from a recipe, taking it apart again.

    prompt, maybe over several lines
    Negative prompt: maybe over several lines
    Steps: 20, Sampler: Euler a, Seed: 1, ...

What the settings mean to us is `restore`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import ModelKind
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.imaging.infotext_fields import (
    AFTER_MODEL,
    BEFORE_MODEL,
    OF_EXTRAS,
    InfotextField,
    Named,
)

NEGATIVE: Final = "Negative prompt:"
FEWEST_SETTINGS: Final = 3
"""With fewer pairs a last line is part of the prompt."""

# Possessive and bounded, so that no text takes more than linear time.
_SETTING: Final = re.compile(
    r'\s*+(\w[\w \-/]{0,99}+):\s*+("(?:\\.|[^\\"])*+"(?=\s*+(?:,|\Z))|[^,]*+)', re.DOTALL
)
SCRIPT_KEYS: Final = (
    "Script",
    *(f"{axis} {part}" for axis in "XYZ" for part in ("Type", "Values")),
)
"""What a grid says of the script that made it."""
IN_TEXT: Final = "text:"
"""Facts whose names begin so were written by extensions to stand in the text."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A1111's names of our parts by id; an id that is missing names itself."""

    samplers: Mapping[str, str] = field(default_factory=dict)
    schedules: Mapping[str, str] = field(default_factory=dict)
    upscalers: Mapping[str, str] = field(default_factory=dict)
    extensions: Callable[[Mapping[str, Mapping[str, Any]]], Mapping[str, str]] = lambda values: {}
    """What the text says of the values of extensions."""


@dataclass(frozen=True, kw_only=True)
class Infotext:
    """The three parts of a text; `settings` in their order, values unquoted but not converted."""

    prompt: str
    negative_prompt: str
    settings: Mapping[str, str]


def write_infotext(recipe: Recipe, labels: Labels, facts: Mapping[str, str] | None = None) -> str:
    """The text that A1111 would write for this picture, where it has words for it. Of the `facts`
    beside the recipe, those of a grid's script (SCRIPT_KEYS) and of extensions (IN_TEXT) stand in
    it."""
    settings = {key: value for key, value in _settings(recipe, labels) if value is not None}
    version = settings.pop("Version")
    told = labels.extensions(recipe.extensions)
    settings |= {key: value for key, value in told.items() if key not in settings}
    settings |= {key: facts[key] for key in SCRIPT_KEYS if facts and key in facts}
    for key, value in (facts or {}).items():
        if key.startswith(IN_TEXT) and (name := key.removeprefix(IN_TEXT)) not in settings:
            settings[name] = value
    settings["Version"] = version
    return join_infotext(
        Infotext(prompt=recipe.prompt, negative_prompt=recipe.negative_prompt, settings=settings)
    )


def join_infotext(infotext: Infotext) -> str:
    """The three parts as one text."""
    negative = f"\n{NEGATIVE} {infotext.negative_prompt}" if infotext.negative_prompt else ""
    settings = ", ".join(
        key if key == value else f"{key}: {_quote(value)}"
        for key, value in infotext.settings.items()
    )
    return f"{infotext.prompt}{negative}\n{settings}".strip()


def read_infotext(text: str) -> Infotext:
    """The parts of a text, whatever it holds: a text that is no infotext is all prompt."""
    *lines, last = text.strip().split("\n")
    settings = dict(pairs := list(_pairs(last)))
    if len(pairs) < FEWEST_SETTINGS:
        lines, settings = [*lines, last], {}
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for line in map(str.strip, lines):
        if line.startswith(NEGATIVE):
            current = negative
            line = line.removeprefix(NEGATIVE).strip()
        current.append(line)
    return Infotext(
        prompt="\n".join(prompt).strip(),
        negative_prompt="\n".join(negative).strip(),
        settings=MappingProxyType(settings),
    )


def _settings(recipe: Recipe, labels: Labels) -> Iterator[tuple[str, str | None]]:
    """In A1111's order."""
    request, names = recipe.request(), _Names(recipe, labels)
    if recipe.extras is not None:
        yield from _rows(OF_EXTRAS, request, names)
    else:
        yield from _rows(BEFORE_MODEL, request, names)
        yield "Model hash", recipe.model.short_hash or None
        yield "Model", recipe.model.name or None
        yield "VAE hash", names.short_hash(ModelKind.VAE, recipe.vae)
        yield from _rows(AFTER_MODEL, request, names)
        yield "Lora hashes", names.hashes(ModelKind.LORA)
        yield "TI hashes", names.hashes(ModelKind.EMBEDDING)
        yield "Template", recipe.template or None
        yield "Negative Template", recipe.negative_template or None
    yield "Version", f"Gesso {recipe.version}"


def _rows(
    rows: Iterable[InfotextField], request: GenerationRequest, names: _Names
) -> Iterator[tuple[str, str]]:
    for row in rows:
        value = row.value(request)
        if value is not None:
            yield row.key, names.of(row.named, str(value)) if row.named else row.write(value)


class _Names:
    """What a text calls the things that a recipe knows by their ids."""

    def __init__(self, recipe: Recipe, labels: Labels) -> None:
        self._files: Final = recipe.files
        self._model: Final = recipe.model
        self._labels: Final = MappingProxyType(
            {
                Named.SAMPLER: labels.samplers,
                Named.SCHEDULE: labels.schedules,
                Named.UPSCALER: labels.upscalers,
            }
        )

    def of(self, kind: Named, id: str) -> str:
        """The name of one thing; a checkpoint's has its short hash behind it."""
        if kind in self._labels and id in self._labels[kind]:
            return self._labels[kind][id]
        if kind is Named.CHECKPOINT and id == self._model.id:
            return _title(self._model.name, self._model.short_hash)
        for file in self._files:
            if file.kind.value == kind.value and file.ref == id:
                is_checkpoint = kind is Named.CHECKPOINT
                return _title(file.name, file.short_hash) if is_checkpoint else file.name
        return id

    def short_hash(self, kind: ModelKind, ref: str | None) -> str | None:
        """The short hash of a file of the recipe, None where there is none."""
        hashes = [f.short_hash for f in self._files if f.kind is kind and f.ref == ref]
        return hashes[0] if hashes and hashes[0] else None

    def hashes(self, kind: ModelKind) -> str | None:
        """All files of a kind as A1111 lists them: "name: hash, name: hash"."""
        listed = [f"{f.ref}: {f.short_hash}" for f in self._files if f.kind is kind]
        return ", ".join(listed) or None


def _title(name: str, short_hash: str) -> str:
    return f"{name} [{short_hash}]" if short_hash else name


def _quote(value: str) -> str:
    is_plain = value == value.strip() and not value.startswith('"')
    if is_plain and not any(sign in value for sign in ",:\n"):
        return value
    return json.dumps(value, ensure_ascii=False)


def _unquote(value: str) -> str:
    if not (len(value) > 1 and value[0] == value[-1] == '"'):
        return value
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Every `key: value` between commas; what has no key is passed over."""
    position = 0
    while position < len(line):
        if match := _SETTING.match(line, position):
            yield match[1].strip(), _unquote(match[2].strip())
            position = match.end()
        comma = line.find(",", position)
        position = len(line) if comma < 0 else comma + 1
