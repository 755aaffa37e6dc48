"""Packages and commits that are known to do harm. The list ships with the program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from webui.core.codec import from_json
from webui.installs.source import Source, same_place

FILE: Final = Path(__file__).with_name("known_bad.json")


@dataclass(frozen=True, kw_only=True)
class BadPackage:
    """Versions of a package; none named means all."""

    name: str
    versions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class BadSource:
    """A repository; of no commits named, all of it."""

    address: str
    reason: str
    commits: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KnownBad:
    """What must not come in."""

    packages: tuple[BadPackage, ...] = ()
    sources: tuple[BadSource, ...] = ()

    def versions(self) -> tuple[tuple[str, str], ...]:
        """Each bad version of each package."""
        return tuple((bad.name, version) for bad in self.packages for version in bad.versions)

    def in_packages(self, pins: Iterable[tuple[str, str]]) -> list[str]:
        """A sentence for each package, given by name and version, that is bad."""
        found = []
        for name, version in pins:
            for bad in self.packages:
                is_meant = canonicalize_name(bad.name) == canonicalize_name(name)
                if is_meant and (not bad.versions or version in bad.versions):
                    found.append(f"The package {name} {version} is known to do harm: {bad.reason}")
        return found

    def in_source(self, source: Source) -> list[str]:
        """A sentence if a source is bad."""
        return [
            f"This extension is known to do harm: {bad.reason}"
            for bad in self.sources
            if same_place(bad.address) == same_place(source.address)
            and (not bad.commits or source.commit in bad.commits)
        ]


def read_known_bad(file: Path = FILE) -> KnownBad:
    """The list in a file."""
    return from_json(KnownBad, file.read_bytes())
