"""What authors do with an extension before others get it: begin one, check it, pack it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Final

from webui.core.errors import InvalidRequest
from webui.extend.manifest import FILE, ManifestError, id_from, read_manifest

TEMPLATE: Final = Path(__file__).parent / "template"
LEFT_OUT: Final = frozenset({"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache",
                             ".venv", "dist"})  # fmt: skip
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a package, so that the same files give the same bytes."""


def begin(parent: Path, name: str, author: str = "") -> Path:
    """A new extension in a folder of its own. Raises InvalidRequest if there is one already."""
    id = id_from(name)
    folder = parent / id
    if folder.exists():
        raise InvalidRequest("name", f"There is a folder “{id}” already. Choose another name.")
    words = {"id": id, "name": name, "author": author or "You"}
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        target = folder / str(source.relative_to(TEMPLATE)).removesuffix(".txt")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text("utf-8")).safe_substitute(words), "utf-8")
    return folder


def pack(folder: Path, target: Path) -> tuple[Path, str]:
    """A zip of an extension, and its sha256. Raises ManifestError for what could not be used."""
    manifest = read_manifest(folder)
    if not manifest.license:
        raise ManifestError(
            f"{FILE} of “{folder.name}” names no licence, so nobody may use it. Add "
            'license = "Apache-2.0", or another.'
        )
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{manifest.id}-{manifest.version}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(folder):
            info = zipfile.ZipInfo(f"{manifest.id}/{file.relative_to(folder).as_posix()}", EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, file.read_bytes())
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """What others need, in one order; links are left out, since they lead elsewhere."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not LEFT_OUT & set(parts):
            yield path
