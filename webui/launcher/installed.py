"""What is in `.venv`, read from the folder alone: nothing is imported and no program is run."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path


def normalize(name: str) -> str:
    """A package's name as it is compared: "sd-parsers" is "SD_Parsers"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(site_packages: Path) -> dict[str, str]:
    """Version of each installed package by normalized name."""
    found = {}
    if site_packages.is_dir():
        for entry in site_packages.iterdir():
            if entry.name.endswith(".dist-info"):
                name, _, version = entry.name.removesuffix(".dist-info").partition("-")
                found[normalize(name)] = version
    return found


def read_pins(requirements: str) -> dict[str, str]:
    """Exact versions in the text of a requirements file, by normalized name."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    pairs = (re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line) for line in lines)
    return {normalize(pair[1]): pair[2] for pair in pairs if pair}


def missing(pins: Mapping[str, str], packages: Mapping[str, str]) -> list[str]:
    """Pinned packages that are absent or of another version; local labels (+cpu) don't count."""
    return [
        name
        for name, version in pins.items()
        if packages.get(name, "").partition("+")[0] != version.partition("+")[0]
    ]


def damaged(site_packages: Path) -> list[Path]:
    """dist-info folders of packages with missing files or files of another size. Takes about 1 s.

    An installation that was cut off leaves such packages, and pip takes them for whole.
    """
    return [e for e in sorted(site_packages.glob("*.dist-info")) if not _is_whole(e)]


def _is_whole(dist_info: Path) -> bool:
    record = dist_info / "RECORD"
    if not record.is_file() or not (dist_info / "METADATA").is_file():
        return False
    return all(path.is_file() and path.stat().st_size == size for path, size in _recorded(record))


def _recorded(record: Path) -> Iterator[tuple[Path, int]]:
    """Installed files that have a recorded size, which compiled ones don't."""
    with record.open(encoding="utf-8", newline="") as file:
        for name, _, size in csv.reader(file):
            # pip rewrites the first line of scripts and its own notes in dist-info
            if size and not name.startswith(".."):
                yield record.parent.parent / name, int(size)
