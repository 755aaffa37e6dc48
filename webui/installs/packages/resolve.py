"""The packages of all extensions together: which versions go with the program and each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from webui.core.files import write_atomic
from webui.installs.known_bad import KnownBad
from webui.installs.line import Line
from webui.installs.packages.host import Host
from webui.installs.packages.uv import Ran, Uv

_PIN: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one extension asks for. `is_native`: it was written for Gesso, and could run in a
    process of its own."""

    id: str
    name: str
    requirements: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    is_native: bool = False
    is_worker: bool = False
    """Whether it has a process and packages of its own."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The requirements, less what was left out."""
        kept = (without(text, self.left_out) for text in self.requirements)
        return tuple(text for text in kept if text)


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Versions that go together. `lock` is the hashed list of those that the program lacks."""

    lock: str
    pins: tuple[str, ...]

    @property
    def hash(self) -> str:
        """The lock's sha256; empty if nothing is needed."""
        return hashlib.sha256(self.lock.encode()).hexdigest() if self.pins else ""


class Unsatisfiable(Exception):
    """uv found no versions that go together; `said` is its reason."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Finds versions against the packages of `host`. `work` is a folder for its files."""

    host: Host
    uv: Uv
    work: Path
    known_bad: KnownBad

    def resolve(self, wishes: Sequence[Wish], line: Line) -> Resolved:
        """Versions for all wishes at once. Raises Unsatisfiable, PackagesUnreachable, Stopped."""
        return self.of_requirements([text for wish in wishes for text in wish.wanted], line)

    def of_requirements(self, texts: Sequence[str], line: Line) -> Resolved:
        """Versions for these requirements. Raises as `resolve`."""
        line.check()
        texts = sorted({text for text in texts if not self._is_here(text)})
        if not texts:
            return Resolved(lock="", pins=())
        ran = self._compile(texts, line)
        if ran.code:
            raise Unsatisfiable(ran.cause)
        return self._missing_here(ran.out)

    def _is_here(self, text: str) -> bool:
        return self.host.satisfies(Requirement(text))

    def _compile(self, texts: Sequence[str], line: Line) -> Ran:
        wanted = self.work / f"wanted-{hashlib.sha256(repr(texts).encode()).hexdigest()[:16]}.in"
        write_atomic(wanted, "\n".join([*texts, ""]).encode())
        arguments = ["pip", "compile", str(wanted), "--constraints", str(self._constraints())]
        arguments += ["--python", self.host.python, "--only-binary", ":all:", "--generate-hashes"]
        arguments += ["--no-header", "--no-annotate", "--find-links", str(self._stand_ins())]
        try:
            return self.uv.run([*arguments, "--quiet"], line)
        finally:
            wanted.unlink(missing_ok=True)

    def _constraints(self) -> Path:
        path = self._stand_ins() / "constraints.txt"
        bad = "".join(f"{name}!={version}\n" for name, version in self.known_bad.versions())
        if not path.exists():
            write_atomic(path, (self.host.constraints() + bad).encode())
        return path

    def _stand_ins(self) -> Path:
        bad = hashlib.sha256(repr(self.known_bad.versions()).encode()).hexdigest()[:8]
        folder = self.work / f"host-{self.host.hash}-{bad}"
        if not (folder / "complete").exists():
            self.host.write_stand_ins(folder)
        return folder

    def _missing_here(self, lock: str) -> Resolved:
        """Without the packages that the program has."""
        rows = [row for row in re.split(r"\n(?=\S)", lock.strip()) if _PIN.match(row)]
        kept = [row for row in rows if self.host.version(row.partition("==")[0].strip()) is None]
        pins = tuple(row.split()[0] for row in kept)
        return Resolved(lock="".join(f"{row.strip()}\n" for row in kept), pins=pins)


def without(text: str, left_out: Sequence[str]) -> str:
    """A requirement less the extras that are left out; empty if it is left out itself."""
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return ""
    name, skipped = canonicalize_name(wanted.name), {_plain(each) for each in left_out}
    if name in skipped:
        return ""
    wanted.extras = {extra for extra in wanted.extras if f"{name}[{extra.lower()}]" not in skipped}
    return str(wanted)


def _plain(subject: str) -> str:
    """ "Name[Extra]" in normal letters."""
    name, _, extra = subject.strip().partition("[")
    return canonicalize_name(name) + (f"[{extra.lower()}" if extra else "")
