"""The packages that the program itself runs on: what extensions have to go along with."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from webui.core.files import write_atomic

WHEEL: Final = "Wheel-Version: 1.0\nGenerator: gesso\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True, kw_only=True)
class HostPackage:
    """An installed package: its version, and what its extras would ask for."""

    name: str
    version: str
    extras: tuple[str, ...] = ()
    extra_requirements: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Host:
    """All packages of the program by their normal names. They never move."""

    packages: Mapping[str, HostPackage]
    python: str = sys.executable

    def version(self, name: str) -> str | None:
        """The version that is here; None if there is none."""
        package = self.packages.get(canonicalize_name(name))
        return package.version if package else None

    def satisfies(self, requirement: Requirement) -> bool:
        """Whether a requirement is fulfilled by what is here; one with extras never is, as
        nobody looked."""
        version = self.version(requirement.name)
        if version is None or requirement.extras:
            return False
        return fits(requirement, version)

    @property
    def hash(self) -> str:
        """A name for exactly these packages."""
        listed = sorted(
            f"{p.name}=={p.version} {p.extra_requirements}" for p in self.packages.values()
        )
        return hashlib.sha256("\n".join([sys.version, *listed]).encode()).hexdigest()[:16]

    def constraints(self) -> str:
        """As a file of constraints."""
        return "".join(f"{p.name}=={p.version}\n" for p in self.packages.values())

    def write_stand_ins(self, folder: Path) -> None:
        """A wheel without contents for each package: the resolver then knows the program's own
        versions, also of those that no index has (PyTorch's builds), and asks nobody."""
        folder.mkdir(parents=True, exist_ok=True)
        for package in self.packages.values():
            _write_wheel(folder, package)
        write_atomic(folder / "complete", b"")


def read_host(without: Path | None = None, paths: Sequence[str] | None = None) -> Host:
    """The packages on sys.path, but for those in the folder `without`: that of extensions."""
    kept = [path for path in (sys.path if paths is None else paths) if not _is_below(path, without)]
    found: dict[str, HostPackage] = {}
    for each in distributions(path=kept):
        for package in _read(each):
            found.setdefault(canonicalize_name(package.name), package)
    return Host(packages=found)


def fits(requirement: Requirement, version: str) -> bool:
    """Whether a version is one that a requirement allows, previews of versions included."""
    return requirement.specifier.contains(version, prereleases=True)


def _read(distribution: Distribution) -> Iterator[HostPackage]:
    """The package, if its description can be used at all."""
    metadata = distribution.metadata
    name, version = metadata["Name"] or "", metadata["Version"] or ""
    try:
        Version(version)
    except InvalidVersion:
        return
    if name:
        yield HostPackage(
            name=name,
            version=version,
            extras=tuple(metadata.get_all("Provides-Extra") or ()),
            extra_requirements=tuple(_of_extras(distribution.requires or ())),
        )


def _of_extras(requirements: Sequence[str]) -> Iterator[str]:
    """What is asked only by extras: the rest is installed, whatever versions were promised."""
    for text in requirements:
        try:
            marker = Requirement(text).marker
        except InvalidRequirement:
            continue
        if marker is not None and "extra" in str(marker):
            yield text


def _write_wheel(folder: Path, package: HostPackage) -> None:
    name = package.name.replace("-", "_")
    info = f"{name}-{package.version}.dist-info"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {package.name}",
        f"Version: {package.version}",
        *(f"Provides-Extra: {extra}" for extra in package.extras),
        *(f"Requires-Dist: {text}" for text in package.extra_requirements),
    ]
    record = "".join(f"{info}/{file},,\n" for file in ("METADATA", "WHEEL", "RECORD"))
    path = folder / f"{name}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{info}/WHEEL", WHEEL)
        wheel.writestr(f"{info}/RECORD", record)


def _is_below(path: str, folder: Path | None) -> bool:
    return folder is not None and Path(path or ".").resolve().is_relative_to(folder.resolve())
