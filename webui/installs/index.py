"""Lists of extensions that can be installed: our own, and A1111's read into the same form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest
from webui.core.files import write_atomic
from webui.installs.doctor import Outcome
from webui.installs.source import same_place
from webui.net.fetch import Fetcher

SHIPPED: Final = Path(__file__).with_name("index.json")
MOST_ENTRIES: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How one state of an extension did here. An empty `commit` stands for any."""

    outcome: Outcome
    commit: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An extension in a list. `built_in` says which part of the program does the same; such
    extensions patch the insides of another program and can't run."""

    name: str
    address: str
    description: str = ""
    tags: tuple[str, ...] = ()
    added: str = ""
    tried: tuple[Tried, ...] = ()
    built_in: str = ""


@dataclass(frozen=True, kw_only=True)
class Index:
    """A list."""

    version: int = 1
    entries: tuple[Listed, ...] = ()


def shipped_index(file: Path = SHIPPED) -> Index:
    """What the program knows of extensions by itself."""
    return from_json(Index, file.read_bytes())


def read_a1111(data: bytes) -> Index:
    """A list in the form of A1111's index.json. Raises InvalidRequest."""
    try:
        rows = json.loads(data)["extensions"]
        found = [_read_row(row) for row in rows[:MOST_ENTRIES] if isinstance(row, Mapping)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRequest(
            "index", f"This is no list of extensions ({type(error).__name__}). Check its address."
        ) from error
    return Index(entries=tuple(row for row in found if row.address.startswith("https://")))


def merged(known: Index, more: Index) -> Index:
    """Both lists, with what we know of an extension added to what another list says of it."""
    ours = {same_place(entry.address): entry for entry in known.entries}
    entries = []
    for entry in more.entries:
        own = ours.pop(same_place(entry.address), None)
        if own is not None:
            entry = replace(entry, tried=own.tried, built_in=own.built_in)
        entries.append(entry)
    return Index(entries=(*ours.values(), *entries))


def search(entries: Iterable[Listed], words: str, tag: str = "") -> Sequence[Listed]:
    """Those that have all the words somewhere, and the tag."""
    wanted = words.casefold().split()
    return [
        entry
        for entry in entries
        if (not tag or tag in entry.tags)
        and all(w in f"{entry.name} {entry.description} {entry.address}".casefold() for w in wanted)
    ]


@dataclass(frozen=True, kw_only=True)
class Indexes:
    """The lists that are here; `file` keeps the one that was fetched last."""

    file: Path
    fetcher: Fetcher
    address: str

    def now(self) -> Index:
        """Ours, and the one that was fetched last if there is one."""
        known = shipped_index()
        try:
            return merged(known, from_json(Index, self.file.read_bytes()))
        except (OSError, InvalidRequest):
            return known

    def fetch(self) -> Index:
        """Fetch A1111's list, or one of ours, from the address in the settings. Raises
        InvalidRequest."""
        answer = self.fetcher.get(self.address)
        try:
            if answer.status != 200:
                raise InvalidRequest(
                    "index", f"“{answer.host}” has no list at its address (status {answer.status})."
                )
            data = answer.text()
        finally:
            answer.close()
        write_atomic(self.file, to_json(_read_any(data)).encode())
        return self.now()


def _read_any(data: bytes) -> Index:
    if b'"entries"' in data[:2000]:
        return from_json(Index, data)
    return read_a1111(data)


def _read_row(row: Mapping[str, Any]) -> Listed:
    tags = row.get("tags") or ()
    return Listed(
        name=str(row.get("name") or row["url"])[:200],
        address=str(row["url"])[:2000],
        description=str(row.get("description") or "")[:1000],
        tags=tuple(str(tag)[:50] for tag in tags[:20]) if isinstance(tags, list) else (),
        added=str(row.get("added") or "")[:20],
    )
