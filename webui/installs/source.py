"""Where an extension comes from, and how that is told from what a person types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from annotated_types import MaxLen

from webui.core.errors import InvalidRequest
from webui.installs.names import check_path

LONGEST_ADDRESS: Final = 2000
_REF: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class SourceKind(StrEnum):
    """How it is fetched."""

    GIT = "git"
    ZIP = "zip"
    FILE = "file"
    """A single .py file."""
    FOLDER = "folder"
    """On this machine."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an extension comes from; with the commit, exactly this state of it."""

    kind: SourceKind
    address: Annotated[str, MaxLen(LONGEST_ADDRESS)]
    """A URL, a path of this machine, or the name of an uploaded file."""
    ref: str = ""
    """A branch or tag; empty for the repository's own choice."""
    commit: str = ""
    is_linked: bool = False
    """A folder that is used where it lies, for those who write extensions."""
    has_submodules: bool = False
    """Whether the owner agreed to fetch what the repository refers to elsewhere."""
    is_uploaded: bool = False

    @property
    def can_update(self) -> bool:
        """Whether its place can be asked for something newer."""
        return self.kind is SourceKind.GIT and not _COMMIT.fullmatch(self.ref)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asks to be installed. `address`: a git repository, a zip or .py file by its
    URL, or a path of this machine; "…@ref" names a branch, tag or commit, as `ref` does."""

    address: Annotated[str, MaxLen(LONGEST_ADDRESS)]
    ref: Annotated[str, MaxLen(200)] = ""
    is_linked: bool = False
    has_submodules: bool = False


def read_asked(asked: Asked) -> Source:
    """The source that is meant. Raises InvalidRequest."""
    address = asked.address.strip()
    if re.match(r"https?://", address, re.IGNORECASE):
        return _read_url(address, asked)
    if (path := _path(address)) is not None:
        return _read_path(path, asked)
    raise InvalidRequest(
        "address",
        f"“{address[:100]}” is neither a web address (https://…) nor a folder, zip or .py file of "
        "this machine. Other ways to reach a repository (ssh, git@…) are not used.",
    )


def same_place(address: str) -> str:
    """A form in which two addresses of one repository are equal."""
    parts = urlsplit(address.strip().rstrip("/"))
    path = parts.path.rstrip("/").removesuffix(".git").lower()
    return f"{(parts.hostname or '').removeprefix('www.')}{path}" if parts.hostname else address


def is_commit(ref: str) -> bool:
    """Whether a ref is a commit's full name."""
    return _COMMIT.fullmatch(ref) is not None


def name_of(source: Source) -> str:
    """What the source calls the extension: the repository's, folder's or file's name."""
    last = re.split(r"[/\\]", urlsplit(source.address).path.rstrip("/\\"))[-1]
    if source.kind in (SourceKind.FOLDER,) or source.is_uploaded:
        last = re.split(r"[/\\]", source.address.rstrip("/\\"))[-1]
    for end in (".git", ".zip", ".py"):
        last = last.removesuffix(end)
    last = re.sub(r"-(main|master|[0-9a-f]{40})$", "", last)  # as forges call their zips
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-. ")[:64] or "extension"
    try:
        check_path(name)
    except InvalidRequest:  # Windows has devices that are called so
        return f"{name}-extension"
    return name


def _read_url(address: str, asked: Asked) -> Source:
    address, ref = _page_of_a_forge(*_split_ref(address, asked.ref))
    if (ref and not _REF.fullmatch(ref)) or ".." in ref:
        raise InvalidRequest("ref", f"“{ref[:100]}” can't be a branch, tag or commit.")
    path = urlsplit(address).path.lower()
    kind = SourceKind.GIT
    if path.endswith(".zip"):
        kind = SourceKind.ZIP
    elif path.endswith(".py"):
        kind = SourceKind.FILE
    _refuse_link(asked, kind)
    is_git = kind is SourceKind.GIT
    return Source(
        kind=kind,
        address=address,
        ref=ref if is_git else "",
        has_submodules=asked.has_submodules and is_git,
    )


def _split_ref(address: str, ref: str) -> tuple[str, str]:
    """ "https://host/owner/name@ref" in its two parts; a ref given beside wins."""
    head, at, tail = address.rpartition("@")
    if at and "/" in urlsplit(head).path.strip("/") and ":" not in tail:
        return head, ref or tail
    return address, ref


def _page_of_a_forge(address: str, ref: str) -> tuple[str, str]:
    """The repository of a page that shows one of its branches."""
    found = re.fullmatch(r"(https?://[^/]+/[^/]+/[^/]+)/(?:-/)?tree/([^?#]+?)/?", address)
    return (found[1], ref or found[2]) if found else (address.rstrip("/"), ref)


def _path(address: str) -> Path | None:
    """An absolute path of this machine; None if it is none."""
    try:
        path = Path(address).expanduser()
        return path if path.is_absolute() and "\0" not in address else None
    except (RuntimeError, ValueError):  # "~nobody"
        return None


def _read_path(path: Path, asked: Asked) -> Source:
    try:
        kind = _kind_of(path)
    except (OSError, ValueError):
        kind = None
    if kind is None:
        raise InvalidRequest(
            "address",
            f"There is no folder, zip or .py file “{str(path)[:200]}” on this machine that can be "
            "read. Check the path.",
        )
    _refuse_link(asked, kind)
    return Source(kind=kind, address=str(path), is_linked=asked.is_linked)


def _kind_of(path: Path) -> SourceKind | None:
    if path.is_dir():
        return SourceKind.FOLDER
    suffixes = {".zip": SourceKind.ZIP, ".py": SourceKind.FILE}
    return suffixes.get(path.suffix.lower()) if path.is_file() else None


def _refuse_link(asked: Asked, kind: SourceKind) -> None:
    if asked.is_linked and kind is not SourceKind.FOLDER:
        raise InvalidRequest("is_linked", "Only a folder of this machine can be linked.")
