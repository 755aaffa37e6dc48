"""The folder that stands for A1111's own: files that scripts expect to find in it, and what is
taken over from an install that the owner still has."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

log = logging.getLogger(__name__)

CONFIG: Final = "config.json"
UI_CONFIG: Final = "ui-config.json"
FOLDERS: Final = ("localizations", "tmp", "html", "javascript", "embeddings", "config_states")
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def make_places(folder: Path, install: str) -> None:
    """Make what is missing. Of an install, what its ui-config.json says is copied once more each
    time."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, UI_CONFIG):
        if not (folder / name).exists():
            (folder / name).write_text("{}", "utf-8")
    theirs = Path(install) / UI_CONFIG if install else None
    if theirs is not None and theirs.is_file():
        try:
            shutil.copyfile(theirs, folder / UI_CONFIG)
        except OSError:
            log.exception("%s can't be read and is left out.", theirs)


def installed_options(install: str) -> Mapping[str, Any]:
    """The options in the config.json of an install; none if there is nothing to read."""
    return _read(Path(install) / CONFIG) if install else _NONE


def first_values(folder: Path) -> Mapping[str, Any]:
    """What a ui-config.json says of controls: "<tab>/<label>/value" -> value."""
    return _read(folder / UI_CONFIG)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return _NONE
    except (OSError, ValueError):
        log.exception("%s can't be read and is left out.", path)
        return _NONE
    return data if isinstance(data, dict) else _NONE
