"""A little of pkg_resources, which setuptools has no longer: what old scripts use of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version
from packaging.version import parse as parse_version

__all__ = ["Requirement", "Version", "parse_version"]


class DistributionNotFound(Exception):
    """A package is not there."""


class VersionConflict(Exception):
    """A package is there in another version."""


ResolutionError = DistributionNotFound


class Distribution:
    """A package that is there."""

    def __init__(self, name: str, version: str) -> None:
        self.project_name = self.key = name
        self.version = version

    @property
    def parsed_version(self) -> Version:
        """Its version, to be compared."""
        return Version(self.version)


def get_distribution(dist: str) -> Distribution:
    """A package. Raises DistributionNotFound or VersionConflict."""
    wanted = Requirement(dist)
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError as error:
        raise DistributionNotFound(dist) from error
    if not wanted.specifier.contains(version, prereleases=True):
        raise VersionConflict(f"{wanted.name} {version} is there, {dist} is wanted")
    return Distribution(wanted.name, version)


def require(requirements: str | Iterable[str]) -> list[Distribution]:
    """Packages. Raises as `get_distribution`."""
    several = [requirements] if isinstance(requirements, str) else requirements
    return [get_distribution(each) for each in several]


def parse_requirements(strs: str | Iterable[str]) -> Iterator[Requirement]:
    """The lines of a requirements.txt."""
    lines = strs.splitlines() if isinstance(strs, str) else strs
    for line in lines:
        text = line.split(" #")[0].strip()
        if text and not text.startswith(("#", "-")):
            yield Requirement(text)


def resource_filename(package: Any, resource_name: str) -> str:
    """Where a file of a package lies."""
    spec = importlib.util.find_spec(str(package))
    if spec is None or spec.origin is None:
        raise DistributionNotFound(str(package))
    return str(Path(spec.origin).parent / resource_name)


def resource_string(package: Any, resource_name: str) -> bytes:
    """What is in it."""
    return Path(resource_filename(package, resource_name)).read_bytes()


def resource_exists(package: Any, resource_name: str) -> bool:
    """Whether it is there."""
    return Path(resource_filename(package, resource_name)).exists()


def iter_entry_points(group: str, name: str | None = None) -> Iterator[Any]:
    """What packages offer under a name."""
    for each in importlib.metadata.entry_points(group=group):
        if name is None or each.name == name:
            yield each


def _all() -> list[Distribution]:
    found = importlib.metadata.distributions()
    return [Distribution(name, each.version) for each in found if (name := each.metadata["Name"])]


working_set = _all()
