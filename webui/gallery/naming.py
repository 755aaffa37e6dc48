"""Where a picture goes and what it is called: A1111's patterns, made safe on every system.

Pure: no file is looked at. Values are made harmless one by one, so only the pattern's own
slashes make folders, and nothing leads out of the outputs folder.
"""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from webui.core.job import LOCAL, Job, PersonId
from webui.core.model import ModelKind
from webui.core.recipe import Recipe
from webui.core.request import Mode
from webui.imaging.infotext import Labels

MAX_PART_BYTES: Final = 200
"""Of one folder or file name without suffix; file systems allow 255 with it."""
MAX_FOLDERS: Final = 8
MAX_VALUE_CHARS: Final = 128
MAX_WORDS: Final = 8
TAB_FOLDERS: Final = MappingProxyType(
    {
        Mode.TXT2IMG: "txt2img-images",
        Mode.IMG2IMG: "img2img-images",
        Mode.INPAINT: "img2img-images",
        Mode.EXTRAS: "extras-images",
    }
)
GRID_FOLDERS: Final = MappingProxyType(
    {mode: folder.replace("-images", "-grids") for mode, folder in TAB_FOLDERS.items()}
)

_WINDOWS_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"}
)
_FORBIDDEN: Final = frozenset('<>:"/\\|?*')
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_TOKEN: Final = re.compile(r"\[([^\[\]]+)\]")
_NAME_AND_ARGUMENTS: Final = re.compile(r"(\w+)((?:<[^<>]*>)*)")
_BETWEEN_WORDS: Final = re.compile(rf"[\s{re.escape(string.punctuation)}]+")
_DATE_FORMAT: Final = re.compile(r"(?:[^%]|%[A-Za-z%]){1,100}")
_DEFAULT_DATE: Final = "%Y%m%d%H%M%S"


@dataclass(frozen=True, kw_only=True)
class NameFacts:
    """Everything a name can be made of. Times are local and aware."""

    recipe: Recipe
    now: datetime
    job_started: datetime
    owner: PersonId = LOCAL
    first_seed: int
    last_seed: int
    index: int = 0
    """Place in the job, from 0."""
    batch_size: int = 1
    picture_count: int = 1
    labels: Labels = field(default_factory=Labels)
    styles: tuple[str, ...] = ()
    typed_prompt: str = ""
    """The prompt before styles and wildcards."""
    image_hash: str = ""
    """sha256 of the pixels, 64 hex digits; only filled when a pattern wants it."""


def name_facts(
    job: Job, index: int, now: datetime, labels: Labels, image_hash: str = ""
) -> NameFacts:
    """What names picture `index` of a job that is saved at `now`."""
    return NameFacts(
        recipe=job.recipe.at(index),
        now=now,
        job_started=datetime.fromtimestamp(job.created_at, now.tzinfo),
        owner=job.owner,
        first_seed=job.recipe.seed,
        last_seed=job.recipe.at(job.picture_count - 1).seed,
        index=index,
        batch_size=job.request.batch_size,
        picture_count=job.picture_count,
        labels=labels,
        styles=job.request.styles,
        typed_prompt=job.request.prompt,
        image_hash=image_hash,
    )


PEOPLE_FOLDER: Final = "people"
"""Holds a folder for each person but the owner, named by their id."""


@dataclass(frozen=True, kw_only=True)
class PictureName:
    """A picture's place below the outputs folder, but for its number and suffix."""

    folder_pattern: str
    file_pattern: str
    facts: NameFacts
    is_grid: bool = False

    @cached_property
    def is_numbered(self) -> bool:
        """Whether the pattern itself counts; otherwise copies get "-1", "-2" at the end."""
        return self._expanded(0) != self._expanded(1)

    @property
    def series(self) -> str:
        """What the numbers of pictures with such a name count in."""
        path = self._expanded(0)
        return str(path.parent if self.is_numbered else path)

    def path(self, number: int) -> PurePosixPath:
        """The relative path without suffix. Different numbers give different paths."""
        path = self._expanded(number)
        if self.is_numbered or number == 0:
            return path
        tail = f"-{number}"
        return path.with_name(_clip(path.name, MAX_PART_BYTES - len(tail)) + tail)

    def _expanded(self, number: int) -> PurePosixPath:
        folder = expand(self.folder_pattern, self.facts, number)
        file = expand(self.file_pattern, self.facts, number)
        *folders, stem = [part for part in (*folder, *file[:-1]) if part][:MAX_FOLDERS] + file[-1:]
        tabs = GRID_FOLDERS if self.is_grid else TAB_FOLDERS
        path = PurePosixPath(tabs[self.facts.recipe.mode], *folders, stem or "picture")
        if self.facts.owner == LOCAL:
            return path
        # apart, so that no number and no name tells what others make
        return PurePosixPath(PEOPLE_FOLDER, self.facts.owner, path)


def expand(pattern: str, facts: NameFacts, number: int) -> list[str]:
    """The parts of the path that a pattern stands for, each safe or empty.

    An unknown pattern stays as it is written. One without a value takes the text before it along:
    "[seed]-[denoising]" becomes "[seed]" for a picture without a source.
    """
    texts_and_tokens = _TOKEN.split(pattern)
    written: list[str] = []
    for text, token in zip(texts_and_tokens[::2], [*texts_and_tokens[1::2], ""], strict=True):
        value = _value(token, facts, number) if token else ""
        if value is not None:
            written += [text, value]
    return [_safe_part(part) for part in re.split(r"[/\\]", "".join(written))]


def needs_image_hash(*patterns: str) -> bool:
    """Whether a pattern asks for the pixels' hash, which takes time."""
    return any("[image_hash" in pattern.lower() for pattern in patterns)


def _value(token: str, facts: NameFacts, number: int) -> str | None:
    match = _NAME_AND_ARGUMENTS.fullmatch(token)
    name = match[1].lower() if match else ""
    if match is None or name not in PATTERNS:
        return f"[{_safe_value(token)}]"
    if name == "number":
        return f"{number:05d}"
    value = PATTERNS[name](facts, *re.findall("<([^<>]*)>", match[2]))
    return None if value is None else _safe_value(value)


def _safe_value(value: str) -> str:
    cleaned = "".join("_" if sign in _FORBIDDEN else sign for sign in value)
    return cleaned.strip()[:MAX_VALUE_CHARS].rstrip(" .")


def _safe_part(part: str) -> str:
    """One name that every system takes as it is: no device, no dots or blanks at the ends."""
    normal = unicodedata.normalize("NFC", part)
    shown = "".join(
        "_" if sign in _FORBIDDEN else sign
        for sign in (" " if sign in "\n\r\t" else sign for sign in normal)
        if unicodedata.category(sign) not in _INVISIBLE
    )
    name = _clip(shown.strip().lstrip(". ").rstrip(". "), MAX_PART_BYTES).rstrip(". ")
    is_device = name.split(".")[0].strip().upper() in _WINDOWS_DEVICES
    return _clip(f"_{name}", MAX_PART_BYTES) if is_device else name


def _clip(text: str, max_bytes: int) -> str:
    return text.encode("utf-8", "ignore")[:max_bytes].decode("utf-8", "ignore")


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _sampler(facts: NameFacts) -> str:
    return facts.labels.samplers.get(facts.recipe.sampler, facts.recipe.sampler)


def _scheduler(facts: NameFacts) -> str:
    return facts.labels.schedules.get(facts.recipe.schedule, facts.recipe.schedule)


def _sampler_scheduler(facts: NameFacts, *_: str) -> str:
    if facts.recipe.schedule == "automatic":
        return _sampler(facts)
    return f"{_sampler(facts)} {_scheduler(facts)}"


def _hash(text: str, arguments: tuple[str, ...]) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[: _digits(arguments, 8)]


def _digits(arguments: tuple[str, ...], default: int) -> int:
    text = arguments[0] if arguments else ""
    return min(max(int(text), 1), 64) if text.isascii() and text.isdecimal() else default


def _datetime(facts: NameFacts, *arguments: str) -> str:
    """A1111's [datetime<format><time zone>]; a format or zone that can't be used is left out."""
    moment, form = facts.now, arguments[0] if arguments else ""
    if len(arguments) > 1:
        moment = moment.astimezone(_zone(arguments[1]))
    try:
        return moment.strftime(form if _DATE_FORMAT.fullmatch(form) else _DEFAULT_DATE)
    except (ValueError, UnicodeError):
        return moment.strftime(_DEFAULT_DATE)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _prompt_words(facts: NameFacts, *_: str) -> str:
    words = [word for word in _BETWEEN_WORDS.split(facts.recipe.prompt) if word]
    return " ".join(words[:MAX_WORDS]) or "empty"


def _has_prompt(facts: NameFacts, *arguments: str) -> str:
    """For each <word|other>: the word if the prompt has it, else the other."""
    prompt = facts.recipe.prompt.lower()
    pairs = [argument.partition("|") for argument in arguments]
    return "".join(word.lower() if word.lower() in prompt else other for word, _, other in pairs)


def _batch_number(facts: NameFacts, *_: str) -> str | None:
    return str(facts.index % facts.batch_size + 1) if facts.batch_size > 1 else None


def _generation_number(facts: NameFacts, *_: str) -> str | None:
    return str(facts.index + 1) if facts.picture_count > 1 else None


def _denoising(facts: NameFacts, *_: str) -> str | None:
    source = facts.recipe.source
    return None if source is None else _number(source.denoising_strength)


def _vae(facts: NameFacts, *_: str) -> str | None:
    names = [file.name for file in facts.recipe.files if file.kind is ModelKind.VAE]
    return names[0] if names else None


def _basename(facts: NameFacts, *_: str) -> str | None:
    """Uploads have no name of their own; the first digits of their id tell them apart."""
    return None if facts.recipe.source is None else facts.recipe.source.image[:10]


PATTERNS: Final[Mapping[str, Callable[..., str | None]]] = MappingProxyType(
    {
        "number": lambda facts, *_: "",  # filled by the caller, who counts
        "basename": _basename,
        "seed": lambda facts, *_: str(facts.recipe.seed),
        "seed_first": lambda facts, *_: str(facts.first_seed),
        "seed_last": lambda facts, *_: str(facts.last_seed),
        "steps": lambda facts, *_: str(facts.recipe.steps),
        "cfg": lambda facts, *_: _number(facts.recipe.guidance_scale),
        "width": lambda facts, *_: str(facts.recipe.width),
        "height": lambda facts, *_: str(facts.recipe.height),
        "styles": lambda facts, *_: ", ".join(facts.styles) or None,
        "sampler": lambda facts, *_: _sampler(facts),
        "sampler_scheduler": _sampler_scheduler,
        "scheduler": lambda facts, *_: _scheduler(facts),
        "model_hash": lambda facts, *_: facts.recipe.model.short_hash,
        "model_name": lambda facts, *_: facts.recipe.model.name,
        "date": lambda facts, *_: facts.now.strftime("%Y-%m-%d"),
        "datetime": _datetime,
        "job_timestamp": lambda facts, *_: facts.job_started.strftime(_DEFAULT_DATE),
        "prompt_hash": lambda facts, *args: _hash(facts.recipe.prompt, args),
        "negative_prompt_hash": lambda facts, *args: _hash(facts.recipe.negative_prompt, args),
        "full_prompt_hash": lambda facts, *args: _hash(
            f"{facts.recipe.prompt} {facts.recipe.negative_prompt}", args
        ),
        "prompt": lambda facts, *_: facts.recipe.prompt.replace(" ", "_"),
        "prompt_no_styles": lambda facts, *_: facts.typed_prompt,
        "prompt_spaces": lambda facts, *_: facts.recipe.prompt,
        "prompt_words": _prompt_words,
        "batch_number": _batch_number,
        "batch_size": lambda facts, *_: str(facts.batch_size),
        "generation_number": _generation_number,
        "hasprompt": _has_prompt,
        "clip_skip": lambda facts, *_: str(facts.recipe.clip_skip),
        "denoising": _denoising,
        "user": lambda facts, *_: facts.owner,
        "vae_filename": _vae,
        "none": lambda facts, *_: "",
        "image_hash": lambda facts, *args: facts.image_hash[: _digits(args, 64)],
    }
)
"""All patterns of A1111 and [number]. None means: nothing, and not the text before it either."""
