"""What the last finished set-up installed, so that the next start can tell that nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A finished set-up. Any field that differs later is a reason to set up again."""

    requirements: str
    """Digest of the requirements files."""
    tests: str = ""
    """Digest with the test requirements, "" when those aren't installed."""
    root: str
    """The program's folder: environments don't survive being moved."""
    base: str
    """The Python that `.venv` leads to."""
    hardware: str
    """Digest of graphics cards and drivers."""
    choice: str
    """Flags that changed the plan."""
    build: str
    source: str
    """Index that PyTorch came from, "" for pip's own."""
    device: str
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: Sequence[str] = ()
    """Names of all packages, so that one that vanishes is missed."""


def digest(texts: Iterable[str]) -> str:
    """A short fingerprint of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def read_stamp(path: Path) -> Stamp | None:
    """The stamp in a file, or None when there is none that can be used."""
    try:
        return Stamp(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Put the stamp in a file, whole or not at all."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(asdict(stamp), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """How things are now, next to what a stamp says."""

    requirements: str
    tests: str
    """Digest with the test requirements, "" when they aren't asked for."""
    root: str
    base: str
    hardware: str
    choice: str
    missing: tuple[str, ...] = ()
    """Pinned packages that `.venv` lacks."""
    packages: tuple[str, ...] = ()
    """Names of all packages in `.venv`."""
    is_interrupted: bool = False


def why_set_up(stamp: Stamp | None, facts: Facts) -> str:
    """Why a set-up is needed, in words; "" when the last one still holds."""
    if facts.is_interrupted:
        return "the last set-up did not finish"
    if stamp is None:
        return "first start"
    if not facts.base:
        return "the Python that .venv was made with is gone"
    lacking = sorted({*facts.missing, *(set(stamp.packages) - set(facts.packages))})
    reasons = (
        (stamp.base != facts.base, "the Python of .venv changed"),
        (stamp.root != facts.root, "the folder was moved"),
        (stamp.requirements != facts.requirements, "the requirements changed"),
        (bool(lacking), f"missing from .venv: {', '.join(lacking)}"),
        (stamp.hardware != facts.hardware, "graphics card or driver changed"),
        (stamp.choice != facts.choice, "other device chosen"),
        (facts.tests not in ("", stamp.tests), "what the tests need is not installed"),
    )
    return next((reason for applies, reason in reasons if applies), "")
