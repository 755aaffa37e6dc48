"""The tables of the queue, version by version. Scripts are only ever appended."""

from __future__ import annotations

from typing import Final

FIRST: Final = """
CREATE TABLE job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    dedupe_key TEXT UNIQUE,
    owner TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('queued', 'running', 'saving', 'done', 'failed', 'cancelled')),
    priority INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    model TEXT NOT NULL,
    mode TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    recovered INTEGER NOT NULL DEFAULT 0,
    engine TEXT,
    boot TEXT,
    request TEXT NOT NULL,
    recipe TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL
);
CREATE INDEX job_turn ON job (state, priority DESC, seq);
CREATE INDEX job_mine ON job (owner, seq);
CREATE INDEX job_mine_by_mode ON job (owner, mode, seq);
CREATE TABLE event (
    job_id TEXT NOT NULL REFERENCES job (id),
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) WITHOUT ROWID;
"""

# Of a job: `place` orders one person's own jobs; `family`, `pixels` (of one picture) and `effort`
# (pixels times steps of all) tell how long it will take without reading its recipe.
# Of a person: see turns.Waiting. The row of nobody ('') counts all turns and pauses all.
# Of a batch: what it took, also one that failed; `effort` is 0 unless it came to its end.
FAIR_TURNS: Final = """
ALTER TABLE job ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN is_paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN family TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN pixels INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN effort REAL NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN gpu_seconds REAL NOT NULL DEFAULT 0;
UPDATE job SET place = seq;
UPDATE job SET
    family = ifnull(json_extract(recipe, '$.model.family'), ''),
    pixels = ifnull(json_extract(recipe, '$.width') * json_extract(recipe, '$.height'), 0),
    effort = ifnull(json_extract(recipe, '$.width') * json_extract(recipe, '$.height')
        * json_extract(recipe, '$.steps'), 0) * ifnull(json_extract(request, '$.batch_size'), 1)
        * ifnull(json_extract(request, '$.batch_count'), 1)
    WHERE json_valid(recipe) AND json_valid(request);
DROP INDEX job_turn;
CREATE INDEX job_waiting ON job (owner, place, seq, is_paused, not_before) WHERE state = 'queued';
CREATE INDEX job_at_work ON job (seq) WHERE state IN ('running', 'saving');
CREATE TABLE person (
    owner TEXT PRIMARY KEY,
    last_turn INTEGER NOT NULL DEFAULT 0,
    since INTEGER NOT NULL DEFAULT 0,
    is_paused INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO person (owner) SELECT DISTINCT owner FROM job;
INSERT OR IGNORE INTO person (owner) VALUES ('');
CREATE TABLE spent (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    engine TEXT NOT NULL,
    model TEXT NOT NULL,
    family TEXT NOT NULL,
    pixels INTEGER NOT NULL,
    pictures INTEGER NOT NULL,
    effort REAL NOT NULL,
    load_s REAL NOT NULL,
    seconds REAL NOT NULL,
    memory TEXT NOT NULL DEFAULT '',
    is_out INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL
);
INSERT INTO spent (job_id, owner, engine, model, family, pixels, pictures, effort, load_s,
    seconds, at)
    SELECT id, owner, ifnull(engine, ''), model, family, pixels, 1, effort, 0,
        json_extract(json, '$.seconds'), finished_at
    FROM job JOIN event ON job_id = id AND kind = 'finished'
    WHERE state = 'done' AND NOT recovered AND json_valid(json) ORDER BY job.seq;
UPDATE job SET gpu_seconds =
    ifnull((SELECT sum(seconds) FROM spent WHERE job_id = id), 0) WHERE state = 'done';
CREATE INDEX spent_by ON spent (owner, at);
CREATE INDEX spent_at ON spent (at);
CREATE TABLE person_limit (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value INTEGER,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
"""
MIGRATIONS: Final = (FIRST, FAIR_TURNS)
"""Script i brings a file of version i to version i + 1."""
