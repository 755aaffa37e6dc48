"""What is known of a download, from the moment it is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Le

from webui.core.model import ModelKind


class DownloadState(StrEnum):
    """Where a download is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    CHECKING = "checking"
    """All bytes are here; what they are is being looked at."""
    PAUSED = "paused"
    """By a person, for want of room or because the other side is silent; `note` says which."""
    DONE = "done"
    FAILED = "failed"
    """It can't go on; `note` says why."""

    @property
    def is_open(self) -> bool:
        """Whether it goes on by itself, after a restart too."""
        return self in (DownloadState.WAITING, DownloadState.RUNNING, DownloadState.CHECKING)


@dataclass(frozen=True, kw_only=True)
class FileOffer:
    """A file that may be fetched. `path` names it among those of its source; `size_bytes` is None
    and `sha256` empty where the source does not tell."""

    path: str
    name: str
    """What it will be called here."""
    url: str
    size_bytes: int | None = None
    sha256: str = ""
    kind: ModelKind | None = None
    label: str = ""
    """What it is in words, as far as its header or its source tells."""
    problem: str = ""
    """Why it could not be used here."""
    here: str = ""
    """The name of a file here with the same contents."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What lies at an address, before anything of it is fetched."""

    address: str
    title: str
    source: str = ""
    licence: str = ""
    page: str = ""
    made_for: str = ""
    is_gated: bool = False
    """Its owner wants to know who fetches it."""
    files: Sequence[FileOffer] = ()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to fetch: the file `file` of an address, which may be left out where there is one.
    `sha256` is what the person knows of it; its `kind` is told by the file itself, if it can."""

    address: str
    file: str = ""
    sha256: str = ""
    kind: ModelKind | None = None


@dataclass(frozen=True, kw_only=True)
class Download:
    """The durable record of a download."""

    id: str
    address: str
    name: str
    url: str
    part: str
    """The partial file, beside where the whole one belongs."""
    source: str = ""
    sha256: str = ""
    kind: ModelKind | None = None
    label: str = ""
    state: DownloadState = DownloadState.WAITING
    note: str = ""
    validator: str = ""
    """ETag or date of the file at its source: whether the rest still belongs to it."""
    received_bytes: int = 0
    """On disk, whatever happens to the power."""
    total_bytes: int | None = None
    path: str = ""
    """Where the whole file is."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast it goes. `seconds_left` is None where nobody knows."""

    bytes_per_s: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the settings say of downloads."""

    hugging_face: str
    civitai: str
    at_once: Annotated[int, Ge(1), Le(4)] = 1
    most_bytes: int = 100 * 10**9
    keep_free_bytes: int = 0
