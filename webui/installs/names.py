"""Which names of files are taken: those that mean the same on Linux, macOS and Windows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from webui.core.errors import InvalidRequest

LONGEST_PART: Final = 150
LONGEST_PATH: Final = 220
"""Windows takes 260 with the folder above."""
_BAD: Final = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def check_names(paths: Iterable[str]) -> None:
    """Raises InvalidRequest for the first path ("a/b.py") that some system would not take, or that
    another would write over."""
    seen: dict[str, str] = {}
    for path in paths:
        check_path(path)
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            other = seen.setdefault(part.casefold(), part)
            if other != part:
                raise _refusal(part, f"differs from “{other}” only in capitals")


def check_path(path: str) -> None:
    """Raises InvalidRequest for a path that leads elsewhere or that some system would not take."""
    if path.startswith("/") or len(path) > LONGEST_PATH:
        raise _refusal(path, "is absolute" if path.startswith("/") else "is too long")
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise _refusal(path, "leads out of its folder")
        if _BAD.search(part) or part.endswith((" ", ".")) or _DEVICE.fullmatch(part):
            raise _refusal(path, "can't be a file's name on Windows")
        if len(part.encode("utf-8", "replace")) > LONGEST_PART:
            raise _refusal(path, "is too long")


def _refusal(path: str, why: str) -> InvalidRequest:
    shown = path[:100].encode("unicode_escape").decode()
    return InvalidRequest("address", f"The file “{shown}” {why}. Nothing was installed.")
