"""Brings what a person asked for into a quarantine folder. Nothing of it is run or imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from webui.core.errors import InvalidRequest
from webui.installs.git import Git
from webui.installs.line import Line
from webui.installs.names import check_names
from webui.installs.refs import commit_of, remote_refs
from webui.installs.source import Source, SourceKind, name_of
from webui.installs.trees import copy_tree, files_of
from webui.installs.unpack import Limits, unpack
from webui.net.faults import FetchRefused
from webui.net.fetch import Answer, Fetcher

CHUNK_BYTES: Final = 2**18
SIGNS: Final = ("extension.toml", "install.py", "preload.py", "style.css")
FORGES: Final = (
    (r"https://(?:www\.)?github\.com/([^/]+/[^/]+?)", "https://codeload.github.com/{0}/zip/{1}"),
    (r"https://gitlab\.com/([^/]+/[^/]+?)", "https://gitlab.com/{0}/-/archive/{1}/source.zip"),
    (r"https://codeberg\.org/([^/]+/[^/]+?)", "https://codeberg.org/{0}/archive/{1}.zip"),
    (r"https://bitbucket\.org/([^/]+/[^/]+?)", "https://bitbucket.org/{0}/get/{1}.zip"),
)
"""Addresses of repositories, and of the zip of one commit there."""


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """The ways in. `forges` as FORGES."""

    fetcher: Fetcher
    git: Git
    limits: Limits = field(default_factory=Limits)
    forges: Sequence[tuple[str, str]] = FORGES

    def fetch(self, source: Source, folder: Path, line: Line) -> tuple[Source, Path]:
        """The source with its commit, and the tree in `folder` that came. Of a linked folder that
        is the folder itself. Raises InvalidRequest, Stopped or OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        tree = folder / name_of(source)
        match source.kind:
            case SourceKind.GIT:
                source = self._from_git(source, tree, line)
            case SourceKind.ZIP:
                unpack(self._file(source, folder / "packed.zip", line), tree, line, self.limits)
            case SourceKind.FILE:
                tree = self._file(source, tree.with_name(f"{tree.name}.py"), line)
            case SourceKind.FOLDER:
                tree = self._from_folder(source, tree, line)
        if tree.is_dir() and not source.is_linked:
            check_names(name for name, _ in files_of(tree))
            self._check_tree(tree, line)
        return source, tree

    def newest_commit(self, source: Source, line: Line) -> str:
        """What its branch stands at now. Raises InvalidRequest."""
        return commit_of(remote_refs(self.fetcher, source.address, line), source.ref)

    def _from_git(self, source: Source, tree: Path, line: Line) -> Source:
        line.tell(0.0, f"Asking {urlsplit(source.address).hostname}")
        commit = source.commit or self.newest_commit(source, line)
        source = replace(source, commit=commit)
        archive = self._archive_of(source)
        if archive and not source.has_submodules:
            packed = tree.with_name("packed.zip")
            self._download(archive, packed, line)
            unpack(packed, tree, line, self.limits)
            packed.unlink()
        else:
            line.tell(0.1, "Fetching with git")
            self.git.fetch(source, tree, line)
        return source

    def _archive_of(self, source: Source) -> str:
        """The address of a commit's zip; empty where none is known."""
        for pattern, archive in self.forges:
            if found := re.fullmatch(rf"{pattern}(?:\.git)?/?", source.address, re.IGNORECASE):
                return archive.format(found[1], source.commit)
        return ""

    def _file(self, source: Source, to: Path, line: Line) -> Path:
        """A file of its own, in quarantine."""
        if source.is_uploaded:
            return to
        if urlsplit(source.address).scheme.lower() in ("http", "https"):
            self._download(source.address, to, line)
        else:
            self._check_size(Path(source.address).stat().st_size, Path(source.address).name)
            copy_tree(Path(source.address), to)
        return to

    def _download(self, url: str, to: Path, line: Line) -> None:
        answer = self.fetcher.get(url)
        try:
            with line.ending(answer.abort), to.open("xb") as file:
                if answer.status != 200:
                    raise FetchRefused(
                        f"“{answer.host}” has nothing at this address (status {answer.status}). "
                        "Check it."
                    )
                size = 0
                while piece := answer.read(CHUNK_BYTES):
                    size += len(piece)
                    self._check_size(size, answer.host)
                    line.tell(_share(size, answer), f"Fetching, {size / 2**20:.1f} MB")
                    file.write(piece)
        finally:
            answer.close()

    def _check_size(self, size: int, what: str) -> None:
        if size > self.limits.packed_bytes:
            raise InvalidRequest(
                "address",
                f"What comes from “{what}” has more than {self.limits.packed_bytes // 2**20} MB. "
                "An extension is not that large.",
            )

    def _from_folder(self, source: Source, tree: Path, line: Line) -> Path:
        folder = Path(source.address)
        if not looks_like_extension(folder):
            raise InvalidRequest(
                "address",
                f"“{folder.name}” is no extension: it has no extension.toml, no scripts and no "
                "javascript folder. Choose the extension's own folder.",
            )
        if source.is_linked:
            return folder
        self._check_tree(folder, line)
        copy_tree(folder, tree, line.check)
        return tree

    def _check_tree(self, tree: Path, line: Line) -> None:
        count = size = 0
        for _, path in files_of(tree):
            line.check()
            count, size = count + 1, size + path.stat().st_size
            if count > self.limits.files or size > self.limits.bytes:
                raise InvalidRequest(
                    "address", f"“{tree.name}” is too large for an extension. Link it as a folder."
                )


def looks_like_extension(folder: Path) -> bool:
    """Whether a folder has any sign of an extension."""
    if any((folder / sign).is_file() for sign in SIGNS):
        return True
    return any((folder / name).is_dir() for name in ("scripts", "javascript"))


def _share(size: int, answer: Answer) -> float:
    length = answer.header("Content-Length")
    return min(1.0, size / int(length)) if length.isdigit() and int(length) else 0.5
