"""What old scripts and their controls are called in requests, recipes and the API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from webui.extend.manifest import id_from

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_TABS: Final = re.compile(r"(^|_)(txt2img|img2img|t2i|i2i)(?=_|$)")
LONGEST: Final = 60


def part_id(folder: Path, file: Path, class_name: str = "") -> str:
    """ "<extension>/<file's name>"; of further scripts in one file the class's name follows."""
    extension = id_from(folder.stem if folder.suffix == ".py" else folder.name)
    stem = file.name.removesuffix(".py").lower().replace(".", "-").replace("/", "-")
    return f"{extension}/{stem}{'-' + class_name.lower() if class_name else ''}"


def input_ids(components: Sequence[Any]) -> tuple[str, ...]:
    """A name for each of a script's controls, the same in all tabs: from what the page calls it,
    or its label, or its place; no name twice."""
    ids: list[str] = []
    for place, component in enumerate(components):
        wanted = _words(getattr(component, "elem_id", None))
        wanted = wanted or _words(getattr(component, "label", None)) or f"arg{place}"
        id, count = wanted, 2
        while id in ids:
            id, count = f"{wanted}_{count}", count + 1
        ids.append(id)
    return tuple(ids)


def _words(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    slug = _NO_WORD.sub("_", text.lower()).strip("_")
    slug = _TABS.sub(r"\1", slug).removeprefix("script_").strip("_")
    return re.sub("_+", "_", slug)[:LONGEST]
