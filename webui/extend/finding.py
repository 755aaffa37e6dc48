"""Which extensions there are: in folders, as single files, as installed packages. None is run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import Final

from webui.extend.extension import Origin
from webui.extend.manifest import FILE, Kind, Manifest, ManifestError, id_from, read_manifest
from webui.extend.telling import told

log = logging.getLogger(__name__)

GROUP: Final = "webui.extensions"
"""Entry points of packages: `film-grain = "film_grain"`, the id and the module of the hooks."""
SHIPPED_LIST: Final = "shipped.txt"
"""Names those that come with the program, one a line: others may lie in the same folder."""
PACKAGE_SIGNS: Final = (".dist-info", ".egg-info")
A1111_SIGNS: Final = ("scripts", "javascript", "install.py", "preload.py")
ENGINE_FILE: Final = "engine.py"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders. `data` holds what is remembered of extensions, and their own data."""

    shipped: Path
    folder: Path
    data: Path


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where an extension is and what it says of itself. `error`: why it can't be used."""

    manifest: Manifest
    folder: Path
    origin: Origin
    file: Path | None = None
    """Of what is a single file."""
    module: str = ""
    """Of a package: what is imported."""
    error: str = ""

    @property
    def id(self) -> str:
        """The manifest's."""
        return self.manifest.id

    @property
    def kind(self) -> Kind:
        """The manifest's."""
        return self.manifest.kind

    @property
    def code(self) -> Path:
        """The file with the hooks of the server."""
        if self.file is not None:
            return self.file
        entry = self.module.partition(".")[2] if self.module else self.manifest.entry
        inner = self.folder.joinpath(*filter(None, entry.split(".")))
        return inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")

    @property
    def engine_file(self) -> Path | None:
        """Where hooks for the engine are; None for kinds that have none."""
        if self.file is not None:
            return None if self.kind is Kind.A1111 else self.file
        own = self.folder / ENGINE_FILE
        return own if self.kind is Kind.NATIVE and own.is_file() else None


def find(places: Places) -> dict[str, Found]:
    """All extensions by id. Of two with one id the person's own counts, then what came with the
    program, then packages; a second one of the same place keeps its place with an error."""
    found: dict[str, Found] = {}
    for one in (*_in_folder(places), *_shipped(places), *_in_packages()):
        first = found.get(one.id)
        if first is None:
            found[one.id] = one
        elif first.origin is one.origin:
            found.update(_doubled(first, one, found))
    return found


def _shipped(places: Places) -> Iterator[Found]:
    if places.shipped.resolve() != places.folder.resolve():
        yield from _entries(places.shipped, Origin.SHIPPED)


def _in_folder(places: Places) -> Iterator[Found]:
    is_same = places.shipped.resolve() == places.folder.resolve()
    ours = _listed(places.shipped) if is_same else frozenset()
    for one in _entries(places.folder, Origin.FOLDER):
        name = (one.file or one.folder).name
        yield replace(one, origin=Origin.SHIPPED) if name in ours else one


def _listed(folder: Path) -> frozenset[str]:
    try:
        lines = (folder / SHIPPED_LIST).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(filter(None, map(str.strip, lines)))


def _entries(folder: Path, origin: Origin) -> Iterator[Found]:
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("The extensions folder %s can't be read: %s.", folder, error)
        return
    for path in paths:
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            yield look_at(path, origin)
        elif path.suffix == ".py":
            yield look_at_file(path, origin)


def look_at(folder: Path, origin: Origin = Origin.FOLDER) -> Found:
    """What one folder is."""
    if (folder / FILE).exists():
        try:
            manifest = read_manifest(folder)
        except ManifestError as error:
            return _unusable(folder, Kind.NATIVE, str(error), origin)
        return Found(manifest=manifest, folder=folder, origin=origin)
    if any((folder / sign).exists() for sign in A1111_SIGNS) or loose_scripts(folder):
        manifest = Manifest(id=id_from(folder.name), name=folder.name[:100], kind=Kind.A1111)
        return Found(manifest=manifest, folder=folder, origin=origin)
    missing = (
        f"It has no {FILE}. Write one with id and name."
        if told(folder / "__init__.py").is_ours
        else f"It is no extension: there is neither {FILE} nor a folder “scripts” in it."
    )
    return _unusable(folder, Kind.UNKNOWN, missing, origin)


def loose_scripts(folder: Path) -> list[Path]:
    """A1111's scripts in a folder without a folder “scripts”, as people publish single ones."""
    if (folder / A1111_SIGNS[0]).exists():
        return []
    files = (path for path in sorted(folder.glob("*.py")) if path.name not in A1111_SIGNS)
    return [path for path in files if told(path).is_a1111]


def look_at_file(path: Path, origin: Origin = Origin.FOLDER) -> Found:
    """What one .py file is."""
    seen = told(path)
    kind = Kind.SCRIPT if seen.is_ours else Kind.A1111 if seen.is_a1111 else Kind.UNKNOWN
    error = seen.fault and f"{seen.fault}."
    if kind is Kind.UNKNOWN and not error:
        error = f"{path.name} imports neither webui.extend nor A1111's scripts. Take it out."
    manifest = Manifest(
        id=id_from(path.stem),
        name=path.stem.replace("_", " ").replace("-", " ").capitalize()[:100],
        kind=kind,
        description=seen.first_line[:1000],
    )
    return Found(manifest=manifest, folder=path.parent, file=path, origin=origin, error=error)


def _in_packages() -> Iterator[Found]:
    for point in _points(_installed()):
        name = point.dist.name if point.dist else point.name
        version = point.dist.version if point.dist else "0"
        manifest = Manifest(
            id=id_from(point.name), name=name[:100], version=version[:50], entry=point.module
        )
        code = _code_of(point.module)
        if code is None:
            error = f"The package “{name}” names the module “{point.module}”, which is not there."
            yield replace(_found_package(manifest, Path()), error=f"{error} Install it anew.")
            continue
        about = code.name == "__init__.py" and (code.parent / FILE).exists()
        if about:
            try:
                manifest = replace(read_manifest(code.parent), entry=point.module)
            except ManifestError as error_:
                yield replace(_found_package(manifest, code), error=str(error_))
                continue
        yield _found_package(manifest, code)


@lru_cache(maxsize=1)
def _points(installed: frozenset[tuple[str, int]]) -> tuple[metadata.EntryPoint, ...]:
    """The entry points of all packages: reading what each says takes as long as loading an
    extension, so it is done again only when other packages are installed."""
    return tuple(metadata.entry_points(group=GROUP))


def _installed() -> frozenset[tuple[str, int]]:
    """The folders that say which packages there are, and when each was changed."""
    found: set[tuple[str, int]] = set()
    for path in sys.path:
        with suppress(OSError), os.scandir(path or ".") as entries:
            found |= {
                (entry.path, entry.stat().st_mtime_ns)
                for entry in entries
                if entry.name.endswith(PACKAGE_SIGNS)
            }
    return frozenset(found)


def _found_package(manifest: Manifest, code: Path) -> Found:
    return Found(
        manifest=manifest,
        folder=code.parent,
        file=None if code.name in ("", "__init__.py") else code,
        origin=Origin.PACKAGE,
        module=manifest.entry,
    )


def _code_of(module: str) -> Path | None:
    """The file of a module's top package; only that is looked for, nothing is imported."""
    try:
        spec = util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


def _unusable(path: Path, kind: Kind, error: str, origin: Origin) -> Found:
    manifest = Manifest(id=id_from(path.name), name=path.name[:100], kind=kind)
    return Found(manifest=manifest, folder=path, origin=origin, error=error)


def _doubled(first: Found, second: Found, taken: dict[str, Found]) -> dict[str, Found]:
    """The second one under an id of its own, so that people see it."""
    number = next(n for n in range(2, 1000) if f"{second.id[:60]}-{n}" not in taken)
    id = f"{second.id[:60]}-{number}"
    error = (
        f"“{(second.file or second.folder).name}” has the same id “{second.id}” as "
        f"“{(first.file or first.folder).name}”. Give one of them another id, or take it out."
    )
    return {id: replace(second, manifest=replace(second.manifest, id=id), error=error)}
