"""Reading an extension's code: as modules of a namespace of their own, and away again.

Two extensions may have files of the same name, and what was loaded once leaves nothing behind: no
module, no entry of sys.path, no compiled file in the extension's folder.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

NAMESPACE: Final = "gesso_extensions"


class _FromSource(SourceFileLoader):
    """Compiles what is in the file now: a cache by date misses changes within one second."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return _compiled(self.get_data(path), path)


@lru_cache(maxsize=64)
def _compiled(source: bytes, path: str) -> CodeType:
    code: CodeType = compile(source, path, "exec", dont_inherit=True)
    return code


class _Finder(MetaPathFinder):
    """Finds the inner modules of extensions, to be read by `_FromSource`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not fullname.startswith(f"{NAMESPACE}."):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _FromSource(fullname, spec.loader.path)
        return spec


def load_folder(space: str, id: str, folder: Path, entry: str = "") -> ModuleType:
    """The module of an extension's folder: its `__init__`, or the inner module `entry`. Raises
    what the code raises. `space` keeps several studios of one process apart."""
    package = f"{NAMESPACE}.{space}.{id}"
    init = folder / "__init__.py"
    with _clean_path(folder):
        _open_namespace(space)
        if init.is_file():
            module = _run(package, init, [str(folder)])
        else:
            module = _bare(package, [str(folder)])
        return importlib.import_module(f"{package}.{entry}") if entry else module


def load_inner(space: str, id: str, folder: Path, name: str) -> ModuleType:
    """A further module of a folder whose package is loaded already, or is made empty."""
    package = f"{NAMESPACE}.{space}.{id}"
    with _clean_path(folder):
        _open_namespace(space)
        if package not in sys.modules:
            _bare(package, [str(folder)])
        return importlib.import_module(f"{package}.{name}")


def load_file(space: str, id: str, file: Path) -> ModuleType:
    """The module of a single file. Raises what the code raises."""
    with _clean_path(file.parent):
        _open_namespace(space)
        return _run(f"{NAMESPACE}.{space}.{id}", file, None)


def load_package(module: str) -> ModuleType:
    """The module of an installed package, under its own name."""
    return importlib.import_module(module)


def drop(space: str, id: str, package: str = "") -> None:
    """Forget an extension's modules; those of an installed `package` by their own name."""
    names = [f"{NAMESPACE}.{space}.{id}", *([package.partition(".")[0]] if package else [])]
    for name in [*sys.modules]:
        if any(name == root or name.startswith(f"{root}.") for root in names):
            sys.modules.pop(name, None)
    importlib.invalidate_caches()


def stamp_of(folder: Path, file: Path | None = None) -> str:
    """Changes when a Python file of the extension does: names, sizes and dates."""
    files = [file] if file else sorted(folder.rglob("*.py"))
    told = hashlib.sha256()
    for each in files:
        about = each.stat()
        told.update(f"{each}|{about.st_size}|{about.st_mtime_ns}\n".encode())
    return told.hexdigest()[:16]


def _open_namespace(space: str) -> None:
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in (NAMESPACE, f"{NAMESPACE}.{space}"):
        if name not in sys.modules:
            _bare(name, [])
    importlib.invalidate_caches()


def _bare(name: str, path: list[str]) -> ModuleType:
    """An empty package."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = path
    module = module_from_spec(spec)
    sys.modules[name] = module
    return module


def _run(name: str, file: Path, path: list[str] | None) -> ModuleType:
    spec = spec_from_file_location(
        name, file, loader=_FromSource(name, str(file)), submodule_search_locations=path
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} can't be loaded.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _clean_path(folder: Path) -> Iterator[None]:
    """Takes out again what code adds to sys.path of its own folder, and what it imports from
    there under a plain name: another extension may have a file of that name."""
    before, paths = set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = [path for path in sys.path if path in paths or not _is_below(path, folder)]
        for name in set(sys.modules) - before:
            if not name.startswith(f"{NAMESPACE}.") and _is_of(sys.modules.get(name), folder):
                sys.modules.pop(name, None)


def _is_of(module: ModuleType | None, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and _is_below(file, folder)


def _is_below(path: str, folder: Path) -> bool:
    try:
        return Path(path).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False
