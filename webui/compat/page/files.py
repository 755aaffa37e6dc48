"""Which files old scripts may be served from the disk, and their scripts and styles by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SCRIPTS: Final = "javascript"
STYLE: Final = "style.css"
SCRIPT_ENDINGS: Final = (".js", ".mjs")
PREFIX: Final = "/a1111"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A script or style of an extension, and its address."""

    extension: str
    path: Path

    @property
    def address(self) -> str:
        """Changes with the file, so that a browser doesn't keep an old one."""
        stat = self.path.stat()
        stamp = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
        return f"{PREFIX}/assets/{self.extension}/{self.path.name}?v={stamp}"


def scripts_of(folders: Mapping[str, Path]) -> list[Asset]:
    """JavaScript of all extensions, in the order in which A1111 loads it."""
    return [
        Asset(extension=id, path=path)
        for ending in SCRIPT_ENDINGS
        for id, folder in folders.items()
        for path in _files(folder / SCRIPTS, ending)
    ]


def styles_of(folders: Mapping[str, Path]) -> list[Asset]:
    """The style sheets of all extensions."""
    return [
        Asset(extension=id, path=folder / STYLE)
        for id, folder in folders.items()
        if (folder / STYLE).is_file()
    ]


def find_asset(folders: Mapping[str, Path], extension: str, name: str) -> Path | None:
    """The file of such an address; None if there is none."""
    assets = (*scripts_of(folders), *styles_of(folders))
    return next((a.path for a in assets if (a.extension, a.path.name) == (extension, name)), None)


def allowed_file(asked: str, base: Path, roots: Sequence[Path]) -> Path | None:
    """The file that a script asks for by its path, absolute or from `base`; None unless it lies
    below one of `roots`, no hidden folder in between. Links out of them are not followed."""
    if "\0" in asked:
        return None
    try:
        path = (base / asked).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    for root in roots:
        real = root.resolve()
        if path.is_relative_to(real):
            inner = path.relative_to(real).parts
            is_hidden = any(part.startswith(".") for part in inner)
            return path if path.is_file() and not is_hidden else None
    return None


def _files(folder: Path, ending: str) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(p for p in folder.iterdir() if p.suffix == ending and p.is_file())
