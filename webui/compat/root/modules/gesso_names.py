"""Names of files that pictures are saved under: A1111's patterns. For `modules.images`."""

from __future__ import annotations

import datetime
import hashlib
import os
import random
import re
import string
from typing import Any

from modules import shared
from webui.compat.missing import unprovided

invalid_filename_chars = '#<>:"/\\|?*\n\r\t'
invalid_filename_prefix = " "
invalid_filename_postfix = " ."
re_nonletters = re.compile(r"[\s" + string.punctuation + "]+")
re_pattern = re.compile(r"(.*?)(?:\[([^\[\]]+)\]|$)")
re_pattern_arg = re.compile(r"(.*)<([^>]*)>$")
max_filename_part_length = 128
NOTHING_AND_SKIP_PREVIOUS_TEXT = object()


def sanitize_filename_part(text: Any, replace_spaces: bool = True) -> str | None:
    """A text as a part of a file's name."""
    if text is None:
        return None
    text = str(text)
    if replace_spaces:
        text = text.replace(" ", "_")
    text = text.translate({ord(sign): "_" for sign in invalid_filename_chars})
    text = text.lstrip(invalid_filename_prefix)[:max_filename_part_length]
    return text.rstrip(invalid_filename_postfix)


def get_next_sequence_number(path: Any, basename: str) -> int:
    """One more than the largest number that a file's name in a folder begins with."""
    largest = -1
    prefix = f"{basename}-" if basename else ""
    for name in os.listdir(path):
        if name.startswith(prefix):
            parts = os.path.splitext(name[len(prefix) :])[0].split("-")
            if parts[0].isdigit():
                largest = max(largest, int(parts[0]))
    return largest + 1


class FilenameGenerator:
    """Fills patterns such as "[seed]-[prompt_words]" in."""

    def __init__(
        self,
        p: Any,
        seed: Any,
        prompt: Any,
        image: Any,
        zip: bool = False,
        basename: str = "",
    ) -> None:
        self.p = p
        self.seed = seed
        self.prompt = prompt
        self.image = image
        self.zip = zip
        self.basename = basename

    replacements = {
        "basename": lambda self: self.basename or "img",
        "seed": lambda self: "" if self.seed is None else self.seed,
        "seed_first": lambda self: self._first("all_seeds", self.seed),
        "seed_last": lambda self: self._first("all_seeds", self.seed, -1),
        "steps": lambda self: self._of("steps"),
        "cfg": lambda self: self._of("cfg_scale"),
        "width": lambda self: self.image.width,
        "height": lambda self: self.image.height,
        "styles": lambda self: ", ".join(self._of("styles") or []) or "None",
        "sampler": lambda self: self._of("sampler_name"),
        "sampler_scheduler": lambda self: self._sampler(),
        "scheduler": lambda self: self._of("scheduler") or "Automatic",
        "model_hash": lambda self: self._of("sd_model_hash") or "",
        "model_name": lambda self: self._of("sd_model_name") or "",
        "date": lambda self: datetime.datetime.now().strftime("%Y-%m-%d"),
        "datetime": lambda self, *args: self.datetime(*args),
        "job_timestamp": lambda self: shared.state.job_timestamp,
        "prompt_hash": lambda self, *args: self.string_hash(self.prompt, *args),
        "negative_prompt_hash": lambda self, *args: self.string_hash(
            self._of("negative_prompt"), *args
        ),
        "full_prompt_hash": lambda self, *args: self.string_hash(
            f"{self._of('prompt')} {self._of('negative_prompt')}", *args
        ),
        "prompt": lambda self: sanitize_filename_part(self.prompt),
        "prompt_no_styles": lambda self: self.prompt_no_style(),
        "prompt_spaces": lambda self: sanitize_filename_part(self.prompt, replace_spaces=False),
        "prompt_words": lambda self: self.prompt_words(),
        "batch_number": lambda self: self._of("batch_index", 0) + 1,
        "batch_size": lambda self: self._of("batch_size", 1),
        "generation_number": lambda self: (
            self._of("iteration", 0) * self._of("batch_size", 1) + self._of("batch_index", 0) + 1
        ),
        "hasprompt": lambda self, *args: self.hasprompt(*args),
        "clip_skip": lambda self: shared.opts.CLIP_stop_at_last_layers,
        "denoising": lambda self: self._of("denoising_strength"),
        "user": lambda self: self._of("user"),
        "vae_filename": lambda self: self._of("sd_vae_name") or "NoneType",
        "none": lambda self: "",
        "image_hash": lambda self, *args: self.image_hash(*args),
    }
    default_time_format = "%Y%m%d%H%M%S"

    def _of(self, name: str, otherwise: Any = None) -> Any:
        value = getattr(self.p, name, otherwise)
        return otherwise if value is None else value

    def _first(self, name: str, otherwise: Any, index: int = 0) -> Any:
        values = self._of(name)
        return values[index] if values else otherwise

    def _sampler(self) -> str:
        parts = (self._of("sampler_name"), self._of("scheduler"))
        return " ".join(str(part) for part in parts if part)

    def datetime(self, *args: str) -> str:
        """The time, in a format, maybe in a zone."""
        zone: Any = None
        if len(args) > 1 and args[1]:
            from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

            try:
                zone = ZoneInfo(args[1])
            except (ZoneInfoNotFoundError, ValueError):
                zone = None
        form = args[0] if args and args[0] else self.default_time_format
        return datetime.datetime.now(zone).strftime(form)

    def string_hash(self, text: Any, *args: str) -> str:
        """The first digits of a text's hash."""
        length = int(args[0]) if args and args[0].isdigit() else 8
        return hashlib.sha256(str(text or "").encode()).hexdigest()[:length]

    def image_hash(self, *args: str) -> str:
        """The first digits of the pixels' hash."""
        length = int(args[0]) if args and args[0].isdigit() else None
        return hashlib.sha256(self.image.tobytes()).hexdigest()[:length]

    def prompt_no_style(self) -> str:
        """The prompt without what styles put around it."""
        if self.p is None or self.prompt is None:
            return ""
        without = shared.prompt_styles.extract_styles_from_prompt(self.prompt, "")[1]
        return sanitize_filename_part(without, replace_spaces=False) or ""

    def prompt_words(self) -> str:
        """The prompt's first words."""
        words = [word for word in re_nonletters.split(self.prompt or "") if word] or ["empty"]
        kept = words[: shared.opts.directories_max_prompt_words]
        return sanitize_filename_part(" ".join(kept), replace_spaces=False) or ""

    def hasprompt(self, *args: str) -> str:
        """Those of some words that are in the prompt."""
        low = (self.prompt or "").lower()
        found = []
        for arg in args:
            word, _, otherwise = arg.partition("|")
            if word:
                found.append(word if word.lower() in low else otherwise)
        return sanitize_filename_part("".join(found)) or ""

    def apply(self, x: str) -> str:
        """A pattern, filled in; names in brackets that are not known stay."""
        result = ""
        for text, name in re_pattern.findall(x or ""):
            if not name:
                result += text
                continue
            args: list[str] = []
            key = name
            while match := re_pattern_arg.match(key):
                args.insert(0, match[2])
                key = match[1]
            function = self.replacements.get(key.lower())
            value = f"[{name}]" if function is None else function(self, *args)  # type: ignore[operator]
            result += text + str("" if value is None else value)
        return result

    def stem(self, folder: str, basename: str, suffix: str, *, is_short: bool) -> str:
        """A name for a file in a folder that no file has. Not a name of A1111's."""
        pattern = shared.opts.samples_filename_pattern or ("" if is_short else "[seed]")
        words = sanitize_filename_part(self.apply(pattern), replace_spaces=False) or ""
        words = words if is_short or self.seed is not None or "[seed]" not in pattern else ""
        number = get_next_sequence_number(folder, basename)
        for further in range(1000):
            counted = f"{number + further:05}"
            parts = [part for part in (basename, counted, words) if part]
            stem = "-".join(parts) + suffix
            if not any(name.startswith(stem + ".") for name in os.listdir(folder)):
                return stem
        return f"{basename}-{random.getrandbits(64):016x}{suffix}"


__getattr__ = unprovided(__name__)
