"""What branches and tags a repository has, asked over HTTPS without git.

The answer to `info/refs?service=git-upload-pack` is the first half of git's own protocol
(gitprotocol-http): lines with their length in four hex digits before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from webui.core.errors import InvalidRequest
from webui.installs.line import Line
from webui.installs.source import is_commit
from webui.net.faults import FetchRefused
from webui.net.fetch import Fetcher

_LINE: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([^\0\n]+)")
HEAD: Final = "HEAD"


def remote_refs(fetcher: Fetcher, address: str, line: Line) -> Mapping[str, str]:
    """The commits of all refs by their names, HEAD among them. Raises InvalidRequest."""
    url = f"{address.rstrip('/')}/info/refs?service=git-upload-pack"
    answer = fetcher.get(url, {"Accept": "application/x-git-upload-pack-advertisement"})
    try:
        with line.ending(answer.abort):
            if answer.status in (401, 403, 404):
                raise FetchRefused(
                    f"“{answer.host}” has no public repository at this address. Check it; private "
                    "ones can be fetched with git into a folder, which can be installed."
                )
            body = answer.text() if answer.status == 200 else b""
    finally:
        answer.close()
    if not body.startswith(b"001e# service=git-upload-pack"):
        raise FetchRefused(
            f"“{answer.host}” has no git repository at this address (status {answer.status}). "
            "Use the address of the repository itself, or of a zip file."
        )
    return {name.decode("utf-8", "replace"): commit.decode() for commit, name in _lines(body)}


def commit_of(refs: Mapping[str, str], ref: str) -> str:
    """The commit that a ref stands for; of none, the repository's own choice. Raises
    InvalidRequest."""
    if is_commit(ref):
        return ref
    wanted = (
        (HEAD,) if not ref else (f"refs/tags/{ref}^{{}}", f"refs/heads/{ref}", f"refs/tags/{ref}")
    )
    for name in wanted:
        if name in refs:
            return refs[name]
    known = [
        name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/"))
    ]
    shown = ", ".join(name for name in known[:12] if not name.endswith("^{}")) or "none"
    raise InvalidRequest(
        "ref",
        f"The repository has no branch or tag “{ref}”. There are: {shown}. A commit is named by "
        "all its 40 digits.",
    )


def _lines(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 4 <= len(body):
        try:
            size = int(body[at : at + 4], 16)
        except ValueError:
            return
        if found := _LINE.match(body[at + 4 : at + size] if size > 4 else b""):
            yield found[1], found[2]
        at += max(size, 4)
