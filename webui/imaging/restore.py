"""What an infotext asks for, as a request of ours. Nothing in a text raises: what we don't know
or what doesn't fit is handed back by name, so that the page can say so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from webui.core.codec import decode
from webui.core.errors import InvalidRequest
from webui.core.model import ModelKind
from webui.core.request import GenerationRequest
from webui.imaging.infotext import Infotext, read_infotext
from webui.imaging.infotext_fields import InfotextField, Named, fields_by_key

AUTOMATIC: Final = "automatic"
OURS: Final = "Gesso"

_LATER: Final = frozenset(
    {
        *("Model", "Model hash", "Version", "VAE hash", "Lora hashes", "TI hashes"),
        *("Template", "Negative Template"),
    }
)
"""Read together by the functions below, or of no consequence: the prompts of a text are those
after styles and wildcards, which make the same picture; a template need not."""
_HARMLESS: Final = frozenset(
    {
        ("dynthres_enabled", "True"),
        ("Dynamic thresholding enabled", "True"),
        ("sag_enabled", "True"),
        ("pag_enabled", "True"),
    }
)
"""What others say beside a value that we have a row for."""
_REQUIRED: Final = MappingProxyType(
    {
        "source": MappingProxyType({"image": ""}),
        "mask": MappingProxyType({"image": ""}),
        "extras": MappingProxyType({"image": ""}),
        "refiner": MappingProxyType({"checkpoint": ""}),
    }
)
"""What a part can't be without."""
_PICTURED: Final = ("source", "mask", "extras")
"""Parts whose picture no text can carry."""
_HASH_BEHIND: Final = re.compile(r"^(?P<name>.*)\[(?P<hash>[0-9a-fA-F]{8,64})\]$")


def _nothing(kind: ModelKind, name: str) -> str | None:
    return None


def _nobody(key: str, value: str) -> tuple[str, str, Any] | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """How A1111's names become ids. Each gives None for a name it doesn't know.

    `sampler` also gives the schedule that an old combined name carries ("DPM++ 2M Karras");
    `checkpoint` is asked with the hash first, then with the name.
    """

    sampler: Callable[[str], tuple[str, str | None] | None]
    schedule: Callable[[str], str | None]
    checkpoint: Callable[[str], str | None]
    upscaler: Callable[[str], str | None] = lambda name: None
    file: Callable[[ModelKind, str], str | None] = _nothing
    extension: Callable[[str, str], tuple[str, str, Any] | None] = _nobody
    """The extension, its input and the value that a pair means. Raises ValueError for a value
    that doesn't fit."""


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A request without its pictures, which no text can carry."""

    request: GenerationRequest
    source: Mapping[str, object] = field(default_factory=dict)
    """Fields of Source that the text gives, such as "denoising_strength"."""
    mask: Mapping[str, object] = field(default_factory=dict)
    """Fields of Mask that the text gives."""
    extras: Mapping[str, object] = field(default_factory=dict)
    """Fields of Extras that the text gives."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Settings that have no meaning here or don't fit, as they were written."""


def request_from_infotext(text: str, lookups: Lookups) -> Restored:
    """Everything of a `parameters` text that we have a place for."""
    return request_from(read_infotext(text), lookups)


def request_from(infotext: Infotext, lookups: Lookups) -> Restored:
    """Everything of a text that was taken apart that we have a place for."""
    settings = infotext.settings
    reading = _Reading(lookups)
    reading.take("Prompt", ("prompt",), infotext.prompt)
    reading.take("Negative prompt", ("negative_prompt",), infotext.negative_prompt)
    for key, value in settings.items():
        reading.read(key, value, settings)
    _take_defaults(reading, settings)
    _take_checkpoint(reading, infotext, lookups)
    return reading.restored()


class _Reading:
    """What has been understood so far, and what has not."""

    def __init__(self, lookups: Lookups) -> None:
        self.ignored: Final[dict[str, str]] = {}
        self._lookups: Final = lookups
        self._fields: Final[dict[str, Any]] = {}

    def read(self, key: str, value: str, settings: Mapping[str, str]) -> None:
        """Take one pair of a text."""
        rows = [row for row in _rows().get(key, ()) if row.is_read(settings)]
        if not rows:
            is_known = key in _LATER or (key, value) in _HARMLESS
            if not is_known and not self._read_extension(key, value):
                self.ignored[key] = value
            return
        try:
            found = self._value(rows[0], value)
        except ValueError:
            self.ignored[key] = value
        else:
            self.take(key, rows[0].paths, found, value)

    def take(
        self, key: str, paths: tuple[str, ...], value: object, written: str | None = None
    ) -> None:
        """Keep `value` at `paths` if it is in the fields' ranges; all of them or none."""
        values = value if isinstance(value, tuple) else (value,)
        trial: dict[str, Any] = {}
        for path, part in zip(paths, values, strict=True):
            _put(trial, path, part, _REQUIRED)
        try:
            decode(GenerationRequest, trial)
        except InvalidRequest:
            self.ignored[key] = str(value) if written is None else written
        else:
            for path, part in zip(paths, values, strict=True):
                _put(self._fields, path, part, {})

    def has(self, path: str) -> bool:
        """Whether something has been taken for a field."""
        found: Any = self._fields
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found is not None

    def restored(self) -> Restored:
        """All that was understood."""
        plain = {name: part for name, part in self._fields.items() if name not in _PICTURED}
        if "refiner" in plain and "checkpoint" not in plain["refiner"]:
            del plain["refiner"]  # its checkpoint is not here
        return Restored(
            request=decode(GenerationRequest, plain),
            **{name: self._typed(name) for name in _PICTURED},
            ignored=self.ignored,
        )

    def _read_extension(self, key: str, value: str) -> bool:
        """Take what is an extension's; whether it is one's, and fits."""
        try:
            found = self._lookups.extension(key, value)
        except ValueError:
            return False
        if found is None:
            return False
        id, input, typed = found
        self._fields.setdefault("extensions", {}).setdefault(id, {})[input] = typed
        return True

    def _typed(self, part: str) -> dict[str, object]:
        """The fields of a part, each of its own type."""
        given = self._fields.get(part, {})
        if not given:
            return {}
        whole = decode(GenerationRequest, {part: {**_REQUIRED[part], **given}})
        return {name: getattr(getattr(whole, part), name) for name in given}

    def _value(self, row: InfotextField, value: str) -> object:
        if row.named is None:
            return row.read(value)
        found = self._id(row.named, value)
        if found is None:
            raise ValueError(value)
        if isinstance(found, tuple):
            return self._combined(row, *found)
        return found

    def _id(self, kind: Named, name: str) -> object:
        match kind:
            case Named.SAMPLER:
                return self._lookups.sampler(name)
            case Named.SCHEDULE:
                return self._lookups.schedule(name)
            case Named.UPSCALER:
                return self._lookups.upscaler(name)
            case Named.VAE:
                return self._lookups.file(ModelKind.VAE, name)
            case Named.CHECKPOINT:
                return _checkpoint(name, self._lookups)

    def _combined(self, row: InfotextField, sampler: str, schedule: str | None) -> str:
        """An old combined name gives the schedule, too, unless the text names one."""
        path = row.paths[0].replace("sampler", "schedule")
        if schedule is not None and not self.has(path):
            self.take(row.key, (path,), schedule)
        return sampler


def _take_defaults(reading: _Reading, settings: Mapping[str, str]) -> None:
    """A1111 leaves out what has its default, so a blank in a text with settings means that."""
    if reading.has("sampling.sampler") and not reading.has("sampling.schedule"):
        reading.take("Schedule type", ("sampling.schedule",), AUTOMATIC)
    if settings and "Clip skip" not in settings:
        reading.take("Clip skip", ("sampling.clip_skip",), 1)
    is_others = "Sampler" in settings and not settings.get("Version", "").startswith(OURS)
    if is_others and "RNG" not in settings:
        # theirs came from an NVIDIA card's generator, which "nv" computes anywhere
        reading.take("RNG", ("noise.source",), "nv")


def _take_checkpoint(reading: _Reading, infotext: Infotext, lookups: Lookups) -> None:
    names = [infotext.settings[key] for key in ("Model hash", "Model") if key in infotext.settings]
    for name in names:
        if checkpoint := lookups.checkpoint(name):
            reading.take("Model", ("checkpoint",), checkpoint)
            return
    if names:
        reading.ignored["Model"] = names[-1]


def _checkpoint(title: str, lookups: Lookups) -> str | None:
    """The id of a checkpoint that a text calls "name [hash]" or just by its name."""
    match = _HASH_BEHIND.match(title)
    names = (match["hash"], match["name"].rstrip()) if match else (title,)
    return next(filter(None, map(lookups.checkpoint, names)), None)


def _put(
    fields: dict[str, Any], path: str, value: object, required: Mapping[str, Mapping[str, Any]]
) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, dict(required.get(parent, {})))
    if value == {}:  # says only that the part is there
        fields.setdefault(name, dict(required.get(name, {})))
    else:
        fields[name] = value


@cache
def _rows() -> Mapping[str, tuple[InfotextField, ...]]:
    return fields_by_key()
