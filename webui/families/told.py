"""What makers and people say of a model in words: inside its file, and in one beside it.

Some models differ in nothing but what they were taught. For the web process: without torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from webui.families.gguf_file import is_gguf, read_gguf_front
from webui.modelfiles.header import read_front
from webui.modelfiles.shards import shards_of

LINE: Final = re.compile(
    r"^(modelspec\.(?:architecture|title)):[ \t]*[\"']?(.*?)[\"']?[ \t]*\r?$", re.MULTILINE
)
"""In the settings beside a file, as in its own metadata."""
MOST_BYTES: Final = 1_000_000
UNFINISHED: Final = ".aria2"
"""Added to the name of a file that aria2 still loads: the file itself has its full size meanwhile
(aria2.github.io/manual, "Control File")."""


def said_of(path: Path) -> Mapping[str, str]:
    """What a model file says of itself, and what a person says of it beside it, which counts.
    Raises ModelUnreadable."""
    front = read_gguf_front(path).metadata if is_gguf(path) else read_front(path).metadata
    return {**front, **said_beside(path)}


def said_beside(path: Path) -> Mapping[str, str]:
    """What the `.yaml` file of the same name says of a model file; nothing where none is."""
    settings = _beside(path)
    try:
        if settings.stat().st_size > MOST_BYTES:
            return {}
        return dict(LINE.findall(settings.read_text("utf-8", errors="replace")))
    except OSError:
        return {}


def stamp_beside(path: Path) -> str:
    """Changes when what is said beside a model file does; empty where nothing is."""
    mark = UNFINISHED if unfinished_beside(path) else ""
    try:
        stat = _beside(path).stat()
    except OSError:
        return mark
    return f"{mark};{stat.st_size}:{stat.st_mtime_ns}"


def unfinished_beside(path: Path) -> bool:
    """Whether a program for downloads says beside a file that it is not all there."""
    try:
        return path.with_name(path.name + UNFINISHED).exists()
    except OSError:  # the name is too long for an ending
        return False


def _beside(path: Path) -> Path:
    shards = shards_of(path)
    return path.with_suffix(".yaml") if shards is None else path.with_name(f"{shards.stem}.yaml")
