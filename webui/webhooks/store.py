"""Webhooks and what they are still to be told, on disk: a restart forgets no call."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from webui.core.database import Database
from webui.core.errors import InvalidRequest, NotFound
from webui.core.job import JobId
from webui.webhooks.hook import WAITS_S, Call, Facts, Hook, HookId, HookWish, Occasion

MOST_HOOKS: Final = 20
MOST_WAITING: Final = 1_000
"""Calls of one webhook; when its receiver is away for long, the oldest are dropped."""
LOSS: Final = "Webhooks have to be set up again."
SCHEMA: Final = """
CREATE TABLE hook (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    secret TEXT NOT NULL,
    occasions TEXT NOT NULL,
    created_at REAL NOT NULL,
    called_at REAL,
    fault TEXT NOT NULL DEFAULT ''
);
CREATE TABLE call (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    hook TEXT NOT NULL REFERENCES hook (id),
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL
);
CREATE INDEX call_turn ON call (not_before);
CREATE INDEX call_of ON call (hook, seq);
"""
TOLD_SCHEMA: Final = """
CREATE TABLE told (job TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE since (at REAL NOT NULL);
INSERT INTO since VALUES (CAST(strftime('%s', 'now') AS REAL));
"""
"""The jobs whose end was written down as calls. Those that ended before there was such a list are
not told again."""
KEPT_S: Final = 24 * 3600.0
"""After so long the end of a job is no news any more."""
_DUE: Final = f"(not_before <= ?1 OR not_before > ?1 + {WAITS_S[-1]})"
"""None waits longer than that: the clock was put back, and its call would wait for days."""
_HOOKS: Final = (
    "SELECT id, address, secret, occasions, created_at, called_at, fault,"
    " (SELECT count(*) FROM call WHERE call.hook = hook.id) FROM hook"
)


class HookStore:
    """Usable from any thread."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Opens or makes the file. `clock` tells the seconds since 1970."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it holds what signs the calls
        self._file: Final = Database(
            path, (SCHEMA, TOLD_SCHEMA), what="The list of webhooks", loss=LOSS
        )
        self._clock: Final = clock

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, wish: HookWish) -> Hook:
        """A new webhook. Raises InvalidRequest for one too many, DiskFull."""
        if len(self.all()) >= MOST_HOOKS:
            raise InvalidRequest(
                "address", f"There may be {MOST_HOOKS} webhooks. Remove one that is not needed."
            )
        id = HookId(secrets.token_hex(8))
        occasions = ",".join(occasion.value for occasion in wish.occasions)
        with self._file.changing() as rows:
            rows.execute(
                "INSERT INTO hook (id, address, secret, occasions, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (id, wish.address, wish.secret, occasions, self._clock()),
            )
        return self.get(id)

    def get(self, id: HookId) -> Hook:
        """The webhook. Raises NotFound."""
        found = self._file.rows(f"{_HOOKS} WHERE id = ?", id)
        if not found:
            raise NotFound("webhook", id)
        return _hook(found[0])

    def all(self) -> list[Hook]:
        """All webhooks, in the order in which they were made."""
        return [_hook(row) for row in self._file.rows(f"{_HOOKS} ORDER BY created_at")]

    def remove(self, id: HookId) -> None:
        """Forget a webhook and what it was still to be told."""
        with self._file.changing() as rows:
            rows.execute("DELETE FROM call WHERE hook = ?", (id,))
            rows.execute("DELETE FROM hook WHERE id = ?", (id,))

    def tell(self, hooks: Sequence[Hook], job: JobId, facts: Facts) -> None:
        """The end of a job, which these webhooks are to be told. Nothing happens the second time,
        nor for a webhook that was removed: its call would stand before all others for ever."""
        now = self._clock()
        with self._file.changing() as rows:
            rows.execute("DELETE FROM told WHERE at < ?", (now - KEPT_S,))
            if not rows.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", (job, now)).rowcount:
                return
            for hook in hooks:
                rows.execute(
                    "INSERT INTO call (id, hook, body, not_before) SELECT ?, id, ?, ? FROM hook"
                    " WHERE id = ?",
                    (secrets.token_hex(8), json.dumps(facts), now, hook.id),
                )
                rows.execute(
                    "DELETE FROM call WHERE hook = ?1 AND seq <= (SELECT seq FROM call"
                    " WHERE hook = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
                    (hook.id, MOST_WAITING),
                )

    def told_since(self) -> float:
        """From when on each job that is over was told, or is to be: in seconds since 1970."""
        ((since,),) = self._file.rows("SELECT at FROM since")
        return max(float(since), self._clock() - KEPT_S)

    def due(self) -> Call | None:
        """The call that should be made now, if any."""
        query = f"SELECT id, hook, body, attempts FROM call WHERE {_DUE} ORDER BY not_before, seq"
        found = self._file.rows(f"{query} LIMIT 1", self._clock())
        if not found:
            return None
        id, hook, body, attempts = found[0]
        return Call(id=id, hook=hook, body=body, attempts=attempts)

    def wait_s(self) -> float | None:
        """Seconds until the next call is due; None when there is none."""
        now = self._clock()
        query = f"SELECT min(iif({_DUE}, ?1, not_before)) FROM call"
        (soonest,) = self._file.rows(query, now)[0]
        return None if soonest is None else float(soonest - now)

    def arrived(self, call: Call) -> None:
        """The call was made and accepted."""
        with self._file.changing() as rows:
            rows.execute("DELETE FROM call WHERE id = ?", (call.id,))
            values = (self._clock(), call.hook)
            rows.execute("UPDATE hook SET called_at = ?, fault = '' WHERE id = ?", values)

    def failed(self, call: Call, fault: str, *, is_final: bool = False) -> None:
        """The call did not arrive: it is tried again later, until it has been tried often enough
        or, with `is_final`, at once no more."""
        with self._file.changing() as rows:
            if is_final or call.attempts >= len(WAITS_S):
                rows.execute("DELETE FROM call WHERE id = ?", (call.id,))
            else:
                later = self._clock() + WAITS_S[call.attempts]
                rows.execute(
                    "UPDATE call SET attempts = attempts + 1, not_before = ? WHERE id = ?",
                    (later, call.id),
                )
            values = (self._clock(), fault, call.hook)
            rows.execute("UPDATE hook SET called_at = ?, fault = ? WHERE id = ?", values)


def _hook(row: tuple[Any, ...]) -> Hook:
    id, address, secret, occasions, created_at, called_at, fault, waiting = row
    return Hook(
        id=id,
        address=address,
        secret=secret,
        occasions=tuple(Occasion(name) for name in occasions.split(",") if name),
        created_at=created_at,
        called_at=called_at,
        fault=fault,
        waiting=waiting,
    )
