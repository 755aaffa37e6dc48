"""What the owner is shown before anything of an extension runs."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from webui.core.codec import to_json
from webui.core.errors import InvalidRequest
from webui.extend.manifest import (
    FILE,
    Kind,
    Manifest,
    ManifestError,
    Permission,
    RunMode,
    id_from,
    read_manifest,
)
from webui.installs.install_script import read_wanted
from webui.installs.scan import Finding, Sign, scan
from webui.installs.trees import file_hash, files_of, tree_hash

MOST_LISTED: Final = 2000
MOST_TEXT: Final = 40_000
_LICENCES: Final = (
    ("AGPL-3.0", r"GNU AFFERO GENERAL PUBLIC LICENSE"),
    ("LGPL", r"GNU LESSER GENERAL PUBLIC LICENSE"),
    ("GPL-3.0", r"GNU GENERAL PUBLIC LICENSE\s+Version 3"),
    ("GPL-2.0", r"GNU GENERAL PUBLIC LICENSE\s+Version 2"),
    ("Apache-2.0", r"Apache License\s+Version 2\.0"),
    ("MPL-2.0", r"Mozilla Public License Version 2\.0"),
    ("MIT", r"Permission is hereby granted, free of charge"),
    ("BSD", r"Redistribution and use in source and binary forms"),
    ("Unlicense", r"This is free and unencumbered software"),
    ("CC-BY-NC", r"Attribution-NonCommercial"),
)


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of an extension."""

    name: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What an update would change."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why it must be looked at again: permissions, dependencies or install.py are others."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """An extension as it lies in quarantine. `fingerprint` changes with any of its files."""

    id: str
    name: str
    version: str
    kind: Kind
    run: RunMode
    description: str
    folder: str
    """Its name in the extensions folder."""
    fingerprint: str
    file_count: int
    bytes: int
    files: tuple[File, ...]
    """The first ones."""
    licence: str
    """As the manifest or the licence's text says; empty if none was found."""
    authors: tuple[str, ...] = ()
    homepage: str = ""
    permissions: Mapping[str, Permission] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    """What could not be told of its install.py without running it."""
    findings: tuple[Finding, ...] = ()
    install_script: str = ""
    warnings: tuple[str, ...] = ()
    """Known to be bad, and what else speaks against it."""
    changes: Changes | None = None
    """None for one that is new here."""

    @property
    def grants(self) -> str:
        """A hash of what an owner agrees to: permissions, packages, and code that installs."""
        agreed = (
            sorted((name, to_json(each)) for name, each in self.permissions.items()),
            sorted(self.requirements),
            sorted((name, sorted(each)) for name, each in self.optional.items()),
            self.install_script,
        )
        return hashlib.sha256(repr(agreed).encode()).hexdigest()


def review_of(tree: Path, default_name: str = "") -> Review:
    """The review of a tree in quarantine. Raises InvalidRequest if it is no extension."""
    manifest = manifest_of(tree, default_name)
    listed = [File(name=name, bytes=path.stat().st_size) for name, path in files_of(tree)]
    is_native = (tree / FILE).is_file()
    wanted = None if is_native or not tree.is_dir() else read_wanted(tree)
    script = tree / "install.py"
    return Review(
        id=manifest.id,
        name=manifest.name,
        version=manifest.version,
        kind=manifest.kind,
        run=manifest.run,
        description=manifest.description,
        folder=_folder_name(tree, manifest),
        fingerprint=tree_hash(tree),
        file_count=len(listed),
        bytes=sum(file.bytes for file in listed),
        files=tuple(listed[:MOST_LISTED]),
        licence=manifest.license or _licence(tree),
        authors=manifest.authors,
        homepage=manifest.homepage,
        permissions=manifest.permissions,
        requirements=manifest.dependencies if wanted is None else wanted.requirements,
        optional=manifest.optional,
        unread=() if wanted is None else wanted.unread,
        findings=scan(tree),
        install_script=_text(script) if script.is_file() and not is_native else "",
        warnings=tuple(_warnings(tree, manifest)),
    )


def manifest_of(tree: Path, default_name: str = "") -> Manifest:
    """What an extension says of itself, or what can be told without its word. Raises
    InvalidRequest."""
    name = default_name or (tree.stem if tree.is_file() else tree.name)
    if tree.is_file():
        return Manifest(id=id_from(name), name=name, kind=_kind_of_file(tree))
    if (tree / FILE).is_file():
        try:
            return read_manifest(tree)
        except ManifestError as error:
            raise InvalidRequest("address", str(error)) from error
    signs = ("scripts", "javascript", "install.py", "style.css", "preload.py", "localizations")
    if any((tree / sign).exists() for sign in signs):
        return Manifest(id=id_from(name), name=name, kind=Kind.A1111)
    raise InvalidRequest(
        "address",
        f"“{name}” is no extension: it has neither an extension.toml nor scripts. Check the "
        "address; if it holds several, install them one by one.",
    )


def changes_between(old: Review, old_tree: Path, new: Review, new_tree: Path) -> Changes:
    """What is other in the new state of an extension."""
    before = {name: file_hash(path) for name, path in files_of(old_tree)}
    after = {name: file_hash(path) for name, path in files_of(new_tree)}
    both = before.keys() & after.keys()
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())[:MOST_LISTED]),
        removed=tuple(sorted(before.keys() - after.keys())[:MOST_LISTED]),
        changed=tuple(sorted(name for name in both if before[name] != after[name])[:MOST_LISTED]),
        reasons=tuple(_reasons(old, new)),
    )


def _reasons(old: Review, new: Review) -> list[str]:
    found = []
    for name, permission in new.permissions.items():
        if name not in old.permissions:
            found.append(f"It asks for a new permission: {name} ({permission.reason}).")
        elif permission != old.permissions[name]:
            found.append(f"Its permission {name} is another now.")
    packages = sorted(set(new.requirements) - set(old.requirements))
    if packages or new.optional != old.optional:
        found.append(f"It needs other packages: {', '.join(packages) or 'optional ones'}.")
    if new.install_script != old.install_script:
        found.append("Its install.py is another.")
    new_signs = {each.sign for each in new.findings} - {each.sign for each in old.findings}
    grave = sorted(new_signs & {Sign.PROCESS, Sign.CODE, Sign.BLOB, Sign.NATIVE, Sign.BINARY})
    if grave:
        found.append(f"The look at its code finds something new: {', '.join(grave)}.")
    return found


def _kind_of_file(file: Path) -> Kind:
    text = _text(file)
    if re.search(r"^\s*(from|import)\s+webui\.extend\b", text, re.MULTILINE):
        return Kind.SCRIPT
    if re.search(r"\bscripts\.Script\b|\bimport\s+modules\b|\bfrom\s+modules\b", text):
        return Kind.A1111
    raise InvalidRequest(
        "address",
        f"“{file.name}” is no extension: it uses neither webui.extend nor A1111's scripts. Check "
        "the address.",
    )


def _folder_name(tree: Path, manifest: Manifest) -> str:
    """A native one is called as its id says; old scripts know their folder by its name."""
    if tree.is_file():
        return f"{manifest.id}.py" if manifest.kind is Kind.SCRIPT else tree.name
    return manifest.id if manifest.kind is Kind.NATIVE else tree.name


def _licence(tree: Path) -> str:
    if not tree.is_dir():
        return ""
    files = [p for p in sorted(tree.iterdir()) if re.match(r"(?i)(licen[cs]e|copying)", p.name)]
    for file in filter(Path.is_file, files):
        text = _text(file)
        for name, pattern in _LICENCES:
            if re.search(pattern, text, re.IGNORECASE):
                return name
        return file.name
    return ""


def _warnings(tree: Path, manifest: Manifest) -> Sequence[str]:
    found = []
    if manifest.platforms and sys.platform not in manifest.platforms:
        found.append(f"It is made for {', '.join(manifest.platforms)}, this is {sys.platform}.")
    if tree.is_dir() and (tree / ".gitmodules").is_file():
        found.append(
            "It refers to other repositories (submodules), which are fetched only if you say so."
        )
    return found


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_TEXT).decode("utf-8-sig", "replace")
