"""What an extension says of itself: extension.toml, or what can be told without one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from annotated_types import MaxLen

from webui.core.codec import decode
from webui.core.errors import GessoError, InvalidRequest

FILE: Final = "extension.toml"
SAFE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Kind(StrEnum):
    """How an extension is built."""

    NATIVE = "native"
    """A folder with an extension.toml."""
    SCRIPT = "script"
    """One .py file with hooks of ours."""
    A1111 = "a1111"
    """A folder with scripts/, javascript/ or install.py, or one file with a Script class."""
    UNKNOWN = "unknown"


class RunMode(StrEnum):
    """Where an extension's code runs."""

    INPROCESS = "inprocess"
    WORKER = "worker"
    """In a process and with packages of its own."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Something an extension does beyond pictures, and why."""

    reason: Annotated[str, MaxLen(500)]
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeclaredTab:
    """A tab with a place for a picture, controls and a button. The hook `tab_run` answers it."""

    id: str
    title: Annotated[str, MaxLen(100)]
    button: Annotated[str, MaxLen(100)] = "Run"
    takes_picture: bool = True
    inputs: tuple[str, ...] = ()
    """Ids of declared inputs that are shown."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """extension.toml, checked. Unknown keys are refused, so that a typing error is seen."""

    id: str
    name: Annotated[str, MaxLen(100)]
    version: Annotated[str, MaxLen(50)] = "0"
    kind: Kind = Kind.NATIVE
    api: str = ">=1,<2"
    app: str = ""
    """Versions of Gesso, as a specifier; empty for any."""
    python: str = ""
    description: Annotated[str, MaxLen(1000)] = ""
    license: str = ""
    """An SPDX expression."""
    authors: tuple[str, ...] = ()
    homepage: str = ""
    entry: str = ""
    """Module of the hooks, by default the folder's own `__init__`."""
    run: RunMode = RunMode.INPROCESS
    inputs: tuple[Mapping[str, Any], ...] = ()
    """Declared inputs, for extensions that run in a worker."""
    tabs: tuple[DeclaredTab, ...] = ()
    """Tabs of an extension that runs in a worker, where Gradio is out of reach."""
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    """Requirements as pip writes them."""
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    """"linux", "darwin", "win32"; empty for all."""
    permissions: Mapping[str, Permission] = field(default_factory=dict)
    """By name: network, read, write, downloads, subprocess, gpu, javascript, css."""
    enabled: bool = False
    """Whether it is on from the start; counts only for those that come with the program."""


PERMISSIONS: Final = (
    "network", "read", "write", "downloads", "subprocess", "gpu", "javascript", "css",
)  # fmt: skip


class ManifestError(GessoError):
    """An extension.toml that can't be used; the text says where and why."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder with an extension.toml. Raises ManifestError."""
    path = folder / FILE
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path.name} of “{folder.name}” can't be read: {error}.") from error
    known = set(Manifest.__dataclass_fields__) - {"kind"}
    if unknown := sorted(set(data) - known):
        raise ManifestError(
            f"{path.name} of “{folder.name}” has an unknown key “{unknown[0]}”. "
            f"There are: {', '.join(sorted(known))}."
        )
    try:
        manifest = decode(Manifest, data)
    except InvalidRequest as error:
        raise ManifestError(
            f"{path.name} of “{folder.name}”: {error.field}: {error.message}"
        ) from error
    _check_names(manifest, folder.name)
    return manifest


def _check_names(manifest: Manifest, folder: str) -> None:
    if not SAFE_ID.fullmatch(manifest.id):
        raise ManifestError(
            f"{FILE} of “{folder}”: the id “{manifest.id}” may hold only lower case letters, "
            "digits, - and _."
        )
    if unknown := sorted(set(manifest.permissions) - set(PERMISSIONS)):
        raise ManifestError(
            f"{FILE} of “{folder}”: there is no permission “{unknown[0]}”. "
            f"There are: {', '.join(PERMISSIONS)}."
        )


def id_from(name: str) -> str:
    """An id for an extension that names none, from its folder's or file's name."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:64] or "extension"


def all_dependencies(manifest: Manifest, groups: Sequence[str] = ()) -> tuple[str, ...]:
    """Its requirements with those of the optional groups."""
    return (*manifest.dependencies, *(r for g in groups for r in manifest.optional.get(g, ())))
