"""Diffusers folders of the older kind, whose weights are pickles: which they are, and the same
folder with safetensors files in their place.

Nothing is opened here but lists of shards.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.core.errors import ModelUnreadable
from webui.core.files import TEMP_PREFIX

PARTS: Final = (
    *("unet", "transformer", "vae"),
    *("text_encoder", "text_encoder_2", "text_encoder_3"),
)
"""Folders with weights that pictures are made with; others, such as safety_checker, are not
read."""
STEMS: Final[Mapping[str, str]] = MappingProxyType(
    {"diffusion_pytorch_model": "diffusion_pytorch_model", "pytorch_model": "model"}
)
"""What pickles are called, and what the same weights are called in safetensors."""
VARIANTS: Final = ("", ".fp16")
"""Full precision first."""
SETTINGS: Final = (".json", ".txt", ".model")
"""Small files that say how the weights are used."""


@dataclass(frozen=True, kw_only=True)
class PickledPart:
    """A part of a folder that has pickles only, by what the same files in safetensors are
    called. `stem` is that of a single file."""

    name: str
    stem: str
    files: Mapping[str, Path]


def pickled_parts(folder: Path) -> tuple[PickledPart, ...]:
    """The parts of a diffusers folder that have no weights but pickles. Raises ModelUnreadable
    for a list of shards that can't be read."""
    parts = (folder / name for name in PARTS)
    return tuple(found for part in parts if (found := _pickled(part)) is not None)


def pickles_in(folder: Path) -> list[Path]:
    """The pickles that a diffusers folder is read from; none where a list of them is damaged."""
    with suppress(ModelUnreadable):
        return [file for part in pickled_parts(folder) for file in part.files.values()]
    return []


def stamp_of(folder: Path) -> str:
    """Changes whenever a file in the folder does."""
    stats = [(file, file.stat()) for file in sorted(folder.rglob("*")) if file.is_file()]
    lines = (f"{file}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in stats)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def assemble(folder: Path, made: Mapping[Path, Path], target: Path) -> None:
    """Make `target` the same diffusers folder with what was `made` of its pickles. Raises
    OSError."""
    temp = target.parent / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        for source in (folder, *(each for each in folder.iterdir() if each.is_dir())):
            _take_over(source, temp / source.relative_to(folder))
        for part in pickled_parts(folder):
            for name, pickle in part.files.items():
                _link(made[pickle], temp / part.name / name)
            if len(part.files) > 1:
                index = temp / part.name / f"{part.stem}.safetensors.index.json"
                told = {"weight_map": {name: name for name in part.files}}
                index.write_text(json.dumps(told), "utf-8")
        _settle(temp, target)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def _settle(temp: Path, target: Path) -> None:
    try:
        temp.rename(target)
    except OSError:
        if not target.exists():  # else another process was quicker, with the same
            raise


def _pickled(part: Path) -> PickledPart | None:
    if not part.is_dir() or _has_safetensors(part):
        return None
    for variant in VARIANTS:
        for stem, safe in STEMS.items():
            if (single := part / f"{stem}{variant}.bin").is_file():
                files = {f"{safe}.safetensors": single}
            elif (index := part / f"{stem}.bin.index{variant}.json").is_file():
                files = {f"{Path(name).stem}.safetensors": part / name for name in _shards(index)}
            else:
                continue
            return PickledPart(name=part.name, stem=safe, files=files)
    return None


def _has_safetensors(part: Path) -> bool:
    return any(
        (part / f"{stem}{variant}.safetensors").is_file()
        or (part / f"{stem}.safetensors.index{variant}.json").is_file()
        for stem in STEMS.values()
        for variant in VARIANTS
    )


def _shards(index: Path) -> list[str]:
    try:
        named = json.loads(index.read_text("utf-8"))["weight_map"].values()
        return sorted({Path(str(name)).name for name in named})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnreadable(
            index.parent.parent.name,
            f"its {index.parent.name}/{index.name} can't be read ({error}). "
            "Download the model again.",
        ) from error


def _take_over(source: Path, target: Path) -> None:
    """What a folder holds beside pickles: settings as copies, weights as links."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.name.endswith(SETTINGS) and ".bin.index" not in file.name:
            shutil.copyfile(file, target / file.name)
        elif file.suffix == ".safetensors":
            _link(file, target / file.name)


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the disk knows no such thing."""
    source = source.resolve()
    for link in (os.link, os.symlink):
        with suppress(OSError):
            link(source, target)
            return
    shutil.copyfile(source, target)
