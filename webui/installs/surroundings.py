"""What installing knows of the rest of the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from webui.installs.doctor import Doctor, NoDoctor
from webui.installs.fetching import Fetching
from webui.installs.known_bad import KnownBad
from webui.installs.packages.host import Host
from webui.installs.packages.uv import Uv
from webui.installs.places import Places
from webui.installs.task import Task


class Switches(Protocol):
    """Whoever loads extensions."""

    def scan(self) -> None:
        """Look into the folders again."""
        ...

    def enable(self, id: str) -> str:
        """Switch one on; why it is not on in spite of that, or empty."""
        ...

    def disable(self, id: str) -> None:
        """Switch one off. One that is not there is no matter."""
        ...

    def reload(self, id: str) -> str:
        """Read one's code anew; as `enable`."""
        ...

    def enabled(self) -> frozenset[str]:
        """The ids of those that are switched on."""
        ...

    def is_taken(self, id: str) -> bool:
        """Whether an extension has this id, installed by us or not."""
        ...

    def data(self, id: str) -> Path:
        """The folder of an extension's own data."""
        ...


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """`host` and `uv` are asked for when the first package is needed: they take a moment."""

    places: Places
    fetching: Fetching
    switches: Switches
    host: Callable[[], Host]
    uv: Callable[[], Uv]
    known_bad: KnownBad
    tell: Callable[[Task], object] = field(default=lambda task: None)
    doctor: Doctor = field(default_factory=NoDoctor)
    script_roots: tuple[Path, ...] = ()
    """Folders that an install.py which the owner lets run may import from."""
    index_address: str = ""
    """Where a list of extensions for AUTOMATIC1111 is fetched from, when asked."""
