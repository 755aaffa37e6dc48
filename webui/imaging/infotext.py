"""A1111's `parameters` text: writing it from a recipe, taking it apart again.

    prompt, maybe over several lines
    Negative prompt: maybe over several lines
    Steps: 20, Sampler: Euler a, Seed: 1, ...

What the settings mean to us is `restore`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from webui.core.recipe import Recipe
from webui.core.request import Mask, MaskArea

NEGATIVE: Final = "Negative prompt:"
FEWEST_SETTINGS: Final = 3
"""With fewer pairs a last line is part of the prompt."""

# Possessive and bounded, so that no text takes more than linear time.
_SETTING: Final = re.compile(
    r'\s*+(\w[\w \-/]{0,99}+):\s*+("(?:\\.|[^\\"])*+"(?=\s*+(?:,|\Z))|[^,]*+)', re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A1111's names of our samplers and schedules by id; an id that is missing names itself."""

    samplers: Mapping[str, str] = field(default_factory=dict)
    schedules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Infotext:
    """The three parts of a text; `settings` in their order, values unquoted but not converted."""

    prompt: str
    negative_prompt: str
    settings: Mapping[str, str]


def write_infotext(recipe: Recipe, labels: Labels) -> str:
    """The text that A1111 would write for this picture, where it has words for it."""
    negative = f"\n{NEGATIVE} {recipe.negative_prompt}" if recipe.negative_prompt else ""
    settings = ", ".join(
        key if key == value else f"{key}: {_quote(value)}"
        for key, value in _settings(recipe, labels)
        if value is not None
    )
    return f"{recipe.prompt}{negative}\n{settings}".strip()


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
    """In A1111's order. The noise always comes from the CPU generator, so RNG says so."""
    yield "Steps", str(recipe.steps)
    yield "Sampler", labels.samplers.get(recipe.sampler, recipe.sampler)
    yield "Schedule type", labels.schedules.get(recipe.schedule, recipe.schedule)
    yield "CFG scale", _number(recipe.guidance_scale)
    yield "Seed", str(recipe.seed)
    yield "Size", f"{recipe.width}x{recipe.height}"
    yield "Model hash", recipe.model.short_hash or None
    yield "Model", recipe.model.name or None
    if recipe.source is not None:
        yield "Denoising strength", _number(recipe.source.denoising_strength)
    yield "Clip skip", str(recipe.clip_skip) if recipe.clip_skip > 1 else None
    yield "RNG", "CPU"
    if recipe.mask is not None:
        yield from _mask_settings(recipe.mask)
    yield "Version", f"Gesso {recipe.version}"


def _mask_settings(mask: Mask) -> Iterator[tuple[str, str | None]]:
    yield "Mask mode", "Inpaint not masked" if mask.inverted else None
    yield "Mask blur", str(mask.blur)
    if mask.area is MaskArea.MASKED:
        yield "Inpaint area", "Only masked"
        yield "Masked area padding", str(mask.padding)


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _quote(value: str) -> str:
    if not any(sign in value for sign in ",:\n"):
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
