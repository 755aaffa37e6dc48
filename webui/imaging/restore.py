"""What an infotext asks for, as a request of ours. Nothing in a text raises: what we don't know
or what doesn't fit is handed back by name, so that the page can say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from webui.core.codec import decode
from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest, Mask, MaskArea, Sampling, Source
from webui.imaging.infotext import Infotext, read_infotext

AUTOMATIC: Final = "automatic"

_PLAIN: Final = MappingProxyType(
    {
        "Steps": ("sampling", "steps"),
        "CFG scale": ("sampling", "guidance_scale"),
        "Clip skip": ("sampling", "clip_skip"),
        "Seed": ("request", "seed"),
        "Denoising strength": ("source", "denoising_strength"),
        "Mask blur": ("mask", "blur"),
        "Masked area padding": ("mask", "padding"),
    }
)
_CHOICES: Final = MappingProxyType(
    {
        ("Mask mode", "Inpaint masked"): ("inverted", False),
        ("Mask mode", "Inpaint not masked"): ("inverted", True),
        ("Inpaint area", "Whole picture"): ("area", MaskArea.WHOLE),
        ("Inpaint area", "Only masked"): ("area", MaskArea.MASKED),
    }
)
_HARMLESS: Final = frozenset({("RNG", "CPU"), ("Masked content", "original")})
"""What A1111 may say and we always do."""
_KINDS: Final[Mapping[str, tuple[type, Mapping[str, str]]]] = MappingProxyType(
    {
        "request": (GenerationRequest, MappingProxyType({})),
        "sampling": (Sampling, MappingProxyType({})),
        "source": (Source, MappingProxyType({"image": ""})),
        "mask": (Mask, MappingProxyType({"image": ""})),
    }
)


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """How A1111's names become ids. Each gives None for a name it doesn't know.

    `sampler` also gives the schedule that an old combined name carries ("DPM++ 2M Karras");
    `checkpoint` is asked with the hash first, then with the name.
    """

    sampler: Callable[[str], tuple[str, str | None] | None]
    schedule: Callable[[str], str | None]
    checkpoint: Callable[[str], str | None]


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A request without its pictures, which no text can carry."""

    request: GenerationRequest
    source: Mapping[str, object] = field(default_factory=dict)
    """Fields of Source that the text gives, such as "denoising_strength"."""
    mask: Mapping[str, object] = field(default_factory=dict)
    """Fields of Mask that the text gives."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Settings that have no meaning here or don't fit, as they were written."""


def request_from_infotext(text: str, lookups: Lookups) -> Restored:
    """Everything of a `parameters` text that we have a place for."""
    infotext = read_infotext(text)
    reading = _Reading()
    reading.take("Prompt", "request", "prompt", infotext.prompt)
    reading.take("Negative prompt", "request", "negative_prompt", infotext.negative_prompt)
    for key, value in infotext.settings.items():
        _take_setting(reading, key, value)
    _take_sampling(reading, infotext, lookups)
    _take_checkpoint(reading, infotext, lookups)
    parts = reading.parts
    return Restored(
        request=decode(GenerationRequest, parts["request"] | {"sampling": parts["sampling"]}),
        source=parts["source"],
        mask=parts["mask"],
        ignored=reading.ignored,
    )


class _Reading:
    """What has been understood so far, and what has not."""

    def __init__(self) -> None:
        self.parts: Final[dict[str, dict[str, object]]] = {part: {} for part in _KINDS}
        self.ignored: Final[dict[str, str]] = {}

    def take(self, key: str, part: str, name: str, value: str) -> None:
        """Keep `value` as field `name` of a part if it is in the field's range."""
        kind, required = _KINDS[part]
        try:
            whole: Any = decode(kind, {**required, name: value})
        except InvalidRequest:
            self.ignored[key] = value
        else:
            self.parts[part][name] = getattr(whole, name)


def _take_setting(reading: _Reading, key: str, value: str) -> None:
    if key in _PLAIN:
        part, name = _PLAIN[key]
        reading.take(key, part, name, value)
    elif choice := _CHOICES.get((key, value)):
        reading.parts["mask"][choice[0]] = choice[1]
    elif key == "Size":
        _take_size(reading, value)
    elif key not in _LATER and (key, value) not in _HARMLESS:
        reading.ignored[key] = value


_LATER: Final = frozenset({"Sampler", "Schedule type", "Model", "Model hash", "Version"})
"""Read together by the functions below, or of no consequence."""


def _take_size(reading: _Reading, value: str) -> None:
    """Both sides or none: one side alone would change the shape."""
    width, _, height = value.partition("x")
    sides = _Reading()
    sides.take("Size", "request", "width", width)
    sides.take("Size", "request", "height", height)
    if sides.ignored:
        reading.ignored["Size"] = value
    else:
        reading.parts["request"] |= sides.parts["request"]


def _take_sampling(reading: _Reading, infotext: Infotext, lookups: Lookups) -> None:
    """A1111 leaves out what has its default, so a blank in a text with settings means that."""
    settings, sampling = infotext.settings, reading.parts["sampling"]
    implied: str | None = None
    if "Sampler" in settings:
        if found := lookups.sampler(settings["Sampler"]):
            sampling["sampler"], implied = found
        else:
            reading.ignored["Sampler"] = settings["Sampler"]
    if "Schedule type" in settings:
        if schedule := lookups.schedule(settings["Schedule type"]):
            sampling["schedule"] = schedule
        else:
            reading.ignored["Schedule type"] = settings["Schedule type"]
    elif "sampler" in sampling:
        sampling["schedule"] = implied or AUTOMATIC
    if settings and "Clip skip" not in settings:
        sampling["clip_skip"] = 1


def _take_checkpoint(reading: _Reading, infotext: Infotext, lookups: Lookups) -> None:
    names = [infotext.settings[key] for key in ("Model hash", "Model") if key in infotext.settings]
    for name in names:
        if checkpoint := lookups.checkpoint(name):
            reading.parts["request"]["checkpoint"] = checkpoint
            return
    if names:
        reading.ignored["Model"] = names[-1]
