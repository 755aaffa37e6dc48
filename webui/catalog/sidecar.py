"""What people note beside a model file, in the files that A1111 keeps: <model>.json for words and
<model>.preview.png or the like for a picture.

Written as a whole or not at all; keys that we don't know are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.catalog.civitai import ENDING, read_civitai
from webui.core.errors import ModelUnreadable
from webui.core.files import write_atomic

MAX_BYTES: Final = 2**20
MAX_WEIGHT: Final = 100
PREVIEW_SUFFIXES: Final = (".preview", "")
PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
TEXT_ENDINGS: Final = (".txt", ".description.txt")
"""A1111's other place for a description."""

KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "description": "description",
        "made_for": "sd version",
        "activation_text": "activation text",
        "preferred_weight": "preferred weight",
        "negative_text": "negative text",
        "notes": "notes",
        "vae": "vae",
    }
)
"""A1111's names of our fields."""
WEIGHT: Final = "preferred_weight"


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """Somebody's notes on a model. Text is as it was typed: it may hold anything."""

    description: str = ""
    made_for: str = ""
    """A1111's "sd version": SD1, SD2, SDXL, Unknown."""
    activation_text: str = ""
    """Words for the prompt, with which a LoRA does what it was trained for."""
    preferred_weight: float = 0.0
    """0 where none is preferred."""
    negative_text: str = ""
    notes: str = ""
    vae: str = ""
    """The VAE that a checkpoint is best with."""


def read_sidecar(model: Path) -> Sidecar:
    """The notes on the model file at `model`; empty ones where there are none or they can't be
    read. A text file beside it stands in for the description, and what Civitai says for whatever
    nobody noted."""
    found = _entries(_json_path(model))
    texts = {name: _words(found.get(key)) for name, key in KEYS.items() if name != WEIGHT}
    if not texts["description"]:
        texts["description"] = _text_beside(model)
    for name, text in read_civitai(_entries(_civitai_path(model))).items():
        texts[name] = texts[name] or _words(text)
    return Sidecar(**texts, preferred_weight=_number(found.get(KEYS[WEIGHT])))


def write_sidecar(model: Path, sidecar: Sidecar) -> None:
    """Put these notes beside the model; other programs' entries stay. Raises ModelUnreadable for
    notes that are there but can't be read, so that they are not lost, and OSError."""
    path = _json_path(model)
    if path.exists() and not _is_readable(path):
        raise ModelUnreadable(
            model.stem, f"the notes in {path.name} can't be read. Repair or remove that file first."
        )
    ours = {KEYS[field.name]: getattr(sidecar, field.name) for field in fields(Sidecar)}
    kept = {key: value for key, value in ours.items() if value or key in _entries(path)}
    text = json.dumps(_entries(path) | kept, indent=4, ensure_ascii=False)
    write_atomic(path, text.encode(errors="replace"))


def note_files(model: Path) -> tuple[tuple[int, int] | None, ...]:
    """Time of change and size of each file that may hold notes, None for those that are not there.
    As long as this stays the same, the notes do."""
    texts = (model.parent / f"{_stem(model)}{ending}" for ending in TEXT_ENDINGS)
    return tuple(_stamp(path) for path in (_json_path(model), _civitai_path(model), *texts))


def preview_path(model: Path) -> Path | None:
    """The picture that shows what a model does: <model>.preview.png before <model>.png, and other
    kinds of picture. None where there is none."""
    stem = _stem(model)
    names = [stem + mark + kind for mark in PREVIEW_SUFFIXES for kind in PICTURE_SUFFIXES]
    return next((path for name in names if (path := model.parent / name).is_file()), None)


def write_preview(model: Path, png: bytes) -> Path:
    """Make this PNG file the model's picture, in place of one that we or A1111 put there. Raises
    OSError."""
    path = model.parent / f"{_stem(model)}.preview.png"
    write_atomic(path, png)
    return path


def _stem(model: Path) -> str:
    """The model's name without ending; folders have none."""
    return model.name if model.is_dir() else model.stem


def _json_path(model: Path) -> Path:
    return model.parent / f"{_stem(model)}.json"


def _civitai_path(model: Path) -> Path:
    return model.parent / f"{_stem(model)}{ENDING}"


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size)


def _entries(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        found = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(value: object) -> str:
    """Text that any encoding can carry; empty for what is no text."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not -MAX_WEIGHT <= value <= MAX_WEIGHT:
        return 0.0  # NaN among them
    return float(value)


def _is_readable(path: Path) -> bool:
    return bool(_entries(path)) or path.read_bytes().strip() in (b"", b"{}")


def _text_beside(model: Path) -> str:
    for ending in TEXT_ENDINGS:
        path = model.parent / f"{_stem(model)}{ending}"
        try:
            if path.stat().st_size <= MAX_BYTES:
                return path.read_text("utf-8-sig", errors="replace").strip()
        except OSError:
            continue
    return ""
