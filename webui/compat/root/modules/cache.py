"""Small values kept between starts: a file of JSON for each subject."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from typing import Any

from modules.paths_internal import data_path
from webui.compat.missing import unprovided

cache_dir = os.environ.get("SD_WEBUI_CACHE_DIR", os.path.join(data_path, "cache"))
cache_filename = os.path.join(data_path, "cache.json")
caches: dict[str, dict[str, Any]] = {}
cache_lock = threading.RLock()
_UNSAFE = re.compile(r"[^\w.-]")


def _path(subsection: str) -> str:
    return os.path.join(cache_dir, _UNSAFE.sub("_", subsection) + ".json")


def cache(subsection: str) -> dict[str, Any]:
    """The values of a subject, to be read and changed; `dump_cache` keeps them."""
    with cache_lock:
        if subsection not in caches:
            try:
                with open(_path(subsection), encoding="utf8") as file:
                    caches[subsection] = json.load(file)
            except (OSError, ValueError):
                caches[subsection] = {}
        return caches[subsection]


def dump_cache() -> None:
    """Write all subjects."""
    with cache_lock:
        os.makedirs(cache_dir, exist_ok=True)
        for subsection, values in caches.items():
            draft = _path(subsection) + ".tmp"
            with open(draft, "w", encoding="utf8") as file:
                json.dump(values, file, default=str)
            os.replace(draft, _path(subsection))


def make_cache(subsection: str) -> dict[str, Any]:
    """As `cache`."""
    return cache(subsection)


def cached_data_for_file(
    subsection: str, title: str, filename: str, func: Callable[[], Any]
) -> Any:
    """What `func` says of a file, asked again only when the file has changed; None is not kept."""
    known, changed = cache(subsection), os.path.getmtime(filename)
    entry = known.get(title)
    if entry is not None and entry.get("mtime", 0) >= changed and "value" in entry:
        return entry["value"]
    value = func()
    if value is None:
        return None
    known[title] = {"mtime": changed, "value": value}
    dump_cache()
    return value


__getattr__ = unprovided(__name__)
