"""Fetching one commit with the git program of this machine.

git is given as little as possible: no hooks, no helpers, no configuration of the user, no
protocols but http(s), no redirects, only the address that the guard has checked.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.installs.line import Line
from webui.installs.source import Source
from webui.installs.trees import remove_tree
from webui.net.guard import Guard, Target

TIMEOUT_S: Final = 600
MOST_SUBMODULES: Final = 20
_NO_GIT: Final = (
    "This repository can be fetched only with git, which is not installed here. Install git, or "
    "give the address of a zip file."
)


@dataclass(frozen=True, kw_only=True)
class Git:
    """git, where a repository may be fetched from as far as `guard` says so."""

    guard: Guard
    program: str = "git"

    def fetch(self, source: Source, to: Path, line: Line) -> None:
        """The files of `source.commit` in the new folder `to`. Raises InvalidRequest."""
        if shutil.which(self.program) is None:
            raise InvalidRequest("address", _NO_GIT)
        to.mkdir(parents=True)
        self._run(["init", "-q", "."], to, line)
        self._checkout(source.address, source.commit, source.ref, to, line)
        if source.has_submodules:
            self._submodules(source.address, to, line)
        _forget(to)

    def _checkout(self, address: str, commit: str, ref: str, to: Path, line: Line) -> None:
        """Some servers give a commit by its name only if it is the newest of a ref."""
        pinned = _pinned(self.guard.target(address))
        wanted = [commit, *([ref] if ref and ref != commit else [])]
        for name in wanted:
            fetch = ["fetch", "-q", "--depth", "1", "--no-tags", "--no-recurse-submodules"]
            try:
                self._run([*pinned, *fetch, "--", address, name], to, line)
                break
            except InvalidRequest:
                if name == wanted[-1]:
                    raise
        self._run(["checkout", "-q", "--detach", commit], to, line)

    def _submodules(self, address: str, to: Path, line: Line) -> None:
        """Those that lie below a web address, each at the commit that the repository names; theirs
        in turn are not fetched."""
        for path, url in self._listed_submodules(to, line)[:MOST_SUBMODULES]:
            entry = self._run(["ls-tree", "HEAD", "--", path], to, line).split()
            if len(entry) < 3 or entry[1] != "commit":
                continue
            where = _beside(address, url)
            folder = to / path
            if folder.is_dir():
                folder.rmdir()
            folder.mkdir(parents=True)
            self._run(["init", "-q", "."], folder, line)
            self._checkout(where, entry[2], "", folder, line)
            _forget(folder)

    def _listed_submodules(self, to: Path, line: Line) -> list[tuple[str, str]]:
        if not (to / ".gitmodules").is_file():
            return []
        shown = self._run(["config", "-f", ".gitmodules", "--list"], to, line)
        pairs = dict(row.split("=", 1) for row in shown.splitlines() if "=" in row)
        found = []
        for key, path in pairs.items():
            name = re.fullmatch(r"submodule\.(.+)\.path", key)
            url = pairs.get(f"submodule.{name[1]}.url") if name else None
            if url and ".." not in path.split("/") and not path.startswith(("/", "-")):
                found.append((path, url))
        return found

    def _run(self, arguments: Sequence[str], folder: Path, line: Line) -> str:
        process = subprocess.Popen(
            [self.program, *_SAFE, *arguments],
            cwd=folder,
            env=_environment(os.environ, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        with process, line.ending(process.kill):
            try:
                out, err = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
        line.check()
        if process.returncode:
            raise InvalidRequest("address", f"git can't fetch it: {_last(err)}")
        return out


_SAFE: Final = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.symlinks=false",  # a link comes as a small text file
    "-c", "core.fsmonitor=false",
    "-c", "core.autocrlf=false",
    "-c", "credential.helper=",
    "-c", "http.followRedirects=false",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",  # the guard decides where that may be
    "-c", "submodule.recurse=false",
    "-c", "transfer.fsckObjects=true",
    "-c", "safe.directory=*",
    "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false",
)  # fmt: skip


def _environment(own: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Without anything that would make git run programs or look at the user's settings."""
    kept = {name: value for name, value in own.items() if not name.startswith(("GIT_", "SSH_"))}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "http:https",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def _pinned(target: Target) -> list[str]:
    """The checked addresses, so that git does not ask the name's again."""
    listed = ",".join(f"[{a}]" if ":" in a else a for a in target.addresses)
    return ["-c", f"http.curloptResolve={target.host}:{target.port}:{listed}"]


def _beside(address: str, url: str) -> str:
    """A submodule's address, which may be relative to its repository's."""
    base = address.rstrip("/")
    if not url.startswith(("./", "../")):
        return url
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            base = base.rpartition("/")[0]
        url = url.partition("/")[2]
    return f"{base}/{url}"


def _forget(folder: Path) -> None:
    """Without its history: the files are what was reviewed."""
    remove_tree(folder / ".git")


def _last(text: str) -> str:
    lines = [row.strip() for row in text.splitlines() if row.strip()]
    told = next((row for row in lines if row.startswith(("fatal:", "error:"))), "")
    words = (told or (lines or ["no reason was given"])[-1]).removeprefix("fatal: ")
    return words[:300].rstrip(".") + "."
