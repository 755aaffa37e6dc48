"""The plans' own file: what was asked for, which cells were begun, which pictures came of them.

Cells are rows only once they are begun: a plan of 100,000 pictures is one row at first. Every
change is durable when its method returns, and raises DiskFull when it could not be made.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from webui.core.codec import from_json, to_json
from webui.core.database import Database
from webui.core.errors import NotFound
from webui.core.job import JobId, PersonId
from webui.plans.plan import (
    Cell,
    CellState,
    Counts,
    Line,
    Plan,
    PlanId,
    PlanRequest,
    PlanState,
)

LIST: Final = "The list of plans"
LOSS: Final = "Plans that ran are gone; their pictures and the jobs in the queue are not touched."
FIRST_SCHEMA: Final = """
CREATE TABLE plan (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'done', 'cancelled')),
    asked TEXT NOT NULL,
    cells INTEGER NOT NULL,
    begun INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    finished_at REAL,
    is_settled INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 0,
    grids TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX plan_mine ON plan (owner, seq);
CREATE INDEX plan_open ON plan (is_settled) WHERE is_settled = 0;
CREATE TABLE cell (
    plan_id TEXT NOT NULL REFERENCES plan (id),
    number INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'done', 'failed')),
    attempt INTEGER NOT NULL,
    job_id TEXT,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (plan_id, number)
) WITHOUT ROWID;
CREATE INDEX cell_state ON cell (plan_id, state, number);
CREATE TABLE line (
    plan_id TEXT NOT NULL REFERENCES plan (id),
    number INTEGER NOT NULL,
    picture_index INTEGER NOT NULL,
    picture_id TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (plan_id, number, picture_index)
) WITHOUT ROWID
"""
MIGRATIONS: Final = (FIRST_SCHEMA,)
"""Script i brings a file of version i to version i + 1."""
COLUMNS: Final = (
    "id, owner, state, asked, cells, begun, created_at, finished_at, is_settled, round, grids"
)
CELL: Final = "number, state, attempt, job_id, reason"
LINES_AT_ONCE: Final = 500


class PlanStore:
    """Plans on disk. Usable from any thread; one server uses a file at a time."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file; one that is damaged is set aside first."""
        self._file: Final = Database(path, MIGRATIONS, what=LIST, loss=LOSS)
        self._parse: Final = lru_cache(maxsize=64)(_parse)
        """A folder of 10,000 names is not read anew at every look."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, asked: PlanRequest, cells: int, owner: PersonId) -> Plan:
        """Accept a plan."""
        now = time.time()
        id = PlanId(f"{int(now * 1000):011x}-{secrets.token_hex(5)}")
        with self._file.changing() as rows:
            rows.execute(
                "INSERT INTO plan (id, owner, state, asked, cells, created_at)"
                " VALUES (?, ?, 'running', ?, ?, ?)",
                (id, owner, to_json(asked), cells, now),
            )
        return self.get(id)

    def get(self, id: PlanId) -> Plan:
        """The plan. Raises NotFound."""
        found = self._plans("WHERE id = ?", id)
        if not found:
            raise NotFound("plan", id)
        return found[0]

    def recent(self, owner: PersonId, limit: int) -> list[Plan]:
        """A person's plans, newest first."""
        return self._plans("WHERE owner = ? ORDER BY seq DESC LIMIT ?", owner, limit)

    def asked_by(self, owner: PersonId) -> Iterator[str]:
        """All that a person's plans were asked for, as JSON."""
        rows = self._file.rows("SELECT asked FROM plan WHERE owner = ?", owner)
        return (asked for (asked,) in rows)

    def unsettled(self) -> list[Plan]:
        """Plans with which there is something left to do, oldest first."""
        return self._plans("WHERE is_settled = 0 ORDER BY seq")

    def count_unsettled(self, owner: PersonId) -> int:
        """How many of a person's plans have something left to do."""
        query = "SELECT count(*) FROM plan WHERE owner = ? AND is_settled = 0"
        return int(self._file.rows(query, owner)[0][0])

    def set_state(self, id: PlanId, state: PlanState, instead_of: Sequence[PlanState]) -> Plan:
        """Change the state if it is one of `instead_of`; the plan as it is then."""
        states = ", ".join(f"'{other}'" for other in instead_of)
        finished = time.time() if state.is_over else None
        with self._file.changing() as rows:
            rows.execute(
                f"UPDATE plan SET state = ?, finished_at = ? WHERE id = ? AND state IN ({states})",
                (state, finished, id),
            )
        return self.get(id)

    def settle(self, id: PlanId, grids: Sequence[str]) -> None:
        """Nothing is left to do; these grids were made of it."""
        with self._file.changing() as rows:
            rows.execute(
                "UPDATE plan SET is_settled = 1, round = round + 1, grids = ?"
                " WHERE id = ? AND state IN ('done', 'cancelled')",
                (json.dumps(list(grids)), id),
            )

    def retry(self, id: PlanId) -> Plan:
        """Every failed cell waits for another attempt, and the plan runs again; a cancelled one
        goes on where it was."""
        with self._file.changing() as rows:
            rows.execute(
                "UPDATE cell SET state = 'waiting', attempt = attempt + 1, job_id = NULL,"
                " reason = '' WHERE plan_id = ? AND state = 'failed'",
                (id,),
            )
            rows.execute(
                "UPDATE plan SET state = 'running', finished_at = NULL, is_settled = 0"
                " WHERE id = ?",
                (id,),
            )
        return self.get(id)

    def sent(self, id: PlanId, number: int, job_id: JobId) -> None:
        """The cell's job is in the queue."""
        self._put(id, number, CellState.SENT, job_id=job_id)

    def failed(self, id: PlanId, number: int, reason: str) -> None:
        """The cell can't be made, or was not, for a reason in words."""
        self._put(id, number, CellState.FAILED, reason=reason)

    def lost(self, id: PlanId, number: int) -> None:
        """The cell's job is not to be found any more: it waits for a new one."""
        with self._file.changing() as rows:
            rows.execute(
                "UPDATE cell SET state = 'waiting', attempt = attempt + 1, job_id = NULL"
                " WHERE plan_id = ? AND number = ?",
                (id, number),
            )

    def done(self, id: PlanId, number: int, lines: Sequence[Line]) -> None:
        """The cell's pictures are saved; with it, its lines of the manifest."""
        with self._file.changing() as rows:
            rows.executemany(
                "INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?)",
                [(id, line.number, line.index, line.picture_id, to_json(line)) for line in lines],
            )
            rows.execute(
                "UPDATE cell SET state = 'done', reason = '' WHERE plan_id = ? AND number = ?",
                (id, number),
            )

    def cells(self, id: PlanId, state: CellState, limit: int = -1) -> list[Cell]:
        """The plan's cells in this state, in order; -1 for all."""
        rows = self._file.rows(
            f"SELECT {CELL} FROM cell WHERE plan_id = ? AND state = ? ORDER BY number LIMIT ?",
            id, state, limit,
        )  # fmt: skip
        return [_cell(row) for row in rows]

    def cell(self, id: PlanId, number: int) -> Cell | None:
        """A cell; None when it was never begun."""
        rows = self._file.rows(
            f"SELECT {CELL} FROM cell WHERE plan_id = ? AND number = ?", id, number
        )
        return _cell(rows[0]) if rows else None

    def counts(self, id: PlanId) -> Counts:
        """How many cells are where."""
        rows = self._file.rows(
            "SELECT state, count(*) FROM cell WHERE plan_id = ? GROUP BY state", id
        )
        return Counts(**dict(rows))

    def first_pictures(self, id: PlanId) -> dict[int, str]:
        """The first picture of each cell that is done, by the cell's number."""
        rows = self._file.rows(
            "SELECT number, picture_id FROM line WHERE plan_id = ? AND picture_index = 0", id
        )
        return dict(rows)

    def first_picture(self, id: PlanId, number: int) -> str | None:
        """The first picture of a cell; None while there is none."""
        rows = self._file.rows(
            "SELECT picture_id FROM line WHERE plan_id = ? AND number = ? AND picture_index = 0",
            id, number,
        )  # fmt: skip
        return rows[0][0] if rows else None

    def lines(self, id: PlanId) -> Iterator[Line]:
        """The manifest so far, in the order of cells; read in portions, also while it grows."""
        after = (-1, -1)
        while True:
            rows = self._file.rows(
                "SELECT json FROM line WHERE plan_id = ? AND (number, picture_index) > (?, ?)"
                " ORDER BY number, picture_index LIMIT ?",
                id, *after, LINES_AT_ONCE,
            )  # fmt: skip
            found = [from_json(Line, row[0]) for row in rows]
            if not found:
                return
            yield from found
            after = (found[-1].number, found[-1].index)

    def _put(
        self,
        id: PlanId,
        number: int,
        state: CellState,
        job_id: JobId | None = None,
        reason: str = "",
    ) -> None:
        """A cell is in a state now, and was begun with that if it was not."""
        with self._file.changing() as rows:
            rows.execute(
                "INSERT INTO cell VALUES (?1, ?2, ?3, 1, ?4, ?5) ON CONFLICT DO UPDATE SET"
                " state = ?3, job_id = coalesce(?4, job_id), reason = ?5",
                (id, number, state, job_id, reason),
            )
            rows.execute("UPDATE plan SET begun = max(begun, ?) WHERE id = ?", (number + 1, id))

    def _plans(self, where: str, *values: object) -> list[Plan]:
        rows = self._file.rows(f"SELECT {COLUMNS} FROM plan {where}", *values)
        return [_plan(row, self._parse(row[3])) for row in rows]


def _plan(row: Sequence[Any], asked: PlanRequest) -> Plan:
    return Plan(
        id=row[0],
        owner=row[1],
        state=PlanState(row[2]),
        asked=asked,
        cells=row[4],
        begun=row[5],
        created_at=row[6],
        finished_at=row[7],
        is_settled=bool(row[8]),
        round=row[9],
        grids=tuple(json.loads(row[10])),
    )


def _parse(asked: str) -> PlanRequest:
    return from_json(PlanRequest, asked)


def _cell(row: Sequence[Any]) -> Cell:
    number, state, attempt, job_id, reason = row
    return Cell(
        number=number, state=CellState(state), attempt=attempt, job_id=job_id, reason=reason
    )
