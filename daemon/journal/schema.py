"""The tables of the journal."""

from __future__ import annotations

_FIRST = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, csv_name TEXT NOT NULL, spec_name TEXT NOT NULL,
    state TEXT NOT NULL, round INTEGER NOT NULL, stage TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
    usd REAL NOT NULL, calls INTEGER NOT NULL, attempts INTEGER NOT NULL, force INTEGER NOT NULL,
    partial INTEGER NOT NULL, reason TEXT NOT NULL, until REAL, error TEXT, csv_sha256 TEXT NOT NULL,
    spec TEXT NOT NULL, origin TEXT NOT NULL, request TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL
) STRICT;
CREATE INDEX jobs_by_key ON jobs (key);
CREATE TABLE predictions (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, csv_name TEXT NOT NULL, state TEXT NOT NULL, rows INTEGER,
    error TEXT, created_at REAL NOT NULL, updated_at REAL NOT NULL
) STRICT;
CREATE TABLE spend (day TEXT NOT NULL, job TEXT NOT NULL, usd REAL NOT NULL, PRIMARY KEY (day, job)) STRICT;
CREATE TABLE heartbeat (one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL, at REAL NOT NULL) STRICT;
"""

_RESERVATIONS = "CREATE TABLE reservations (job TEXT PRIMARY KEY, usd REAL NOT NULL) STRICT"

_UNCONFIRMED = "ALTER TABLE spend ADD COLUMN unconfirmed_usd REAL NOT NULL DEFAULT 0.0"

UNFINISHED = "state NOT IN ('done', 'failed', 'cancelled')"
"""Spelled in one way: a partial index serves only queries with the very words it was made with."""

_INDEXES = f"""
CREATE INDEX IF NOT EXISTS jobs_unfinished ON jobs (created_at, id) WHERE {UNFINISHED};
CREATE INDEX IF NOT EXISTS jobs_requested ON jobs (updated_at) WHERE request <> '';
CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (created_at, id, state);
CREATE INDEX IF NOT EXISTS predictions_by_state ON predictions (state, created_at, id);
CREATE INDEX IF NOT EXISTS predictions_by_end ON predictions (updated_at)
"""

_CONTROL = """
ALTER TABLE jobs ADD COLUMN setbacks TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN stage_since REAL NOT NULL DEFAULT 0.0;
ALTER TABLE jobs ADD COLUMN stage_first INTEGER NOT NULL DEFAULT 0;
ALTER TABLE heartbeat ADD COLUMN health TEXT NOT NULL DEFAULT '{}'
"""

_PREDICTIONS = """
ALTER TABLE predictions ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE predictions ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE predictions ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE predictions ADD COLUMN rows_per_second REAL NOT NULL DEFAULT 0.0;
ALTER TABLE predictions ADD COLUMN request TEXT NOT NULL DEFAULT ''
"""

_WHOLE_JOB = """
ALTER TABLE jobs ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN overall REAL;
ALTER TABLE jobs ADD COLUMN ends_at REAL;
ALTER TABLE predictions ADD COLUMN warnings TEXT NOT NULL DEFAULT ''
"""

_OWNER = """
ALTER TABLE jobs ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN past_pilot INTEGER NOT NULL DEFAULT 0;
CREATE TABLE job_events (
    number INTEGER PRIMARY KEY, job TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, content TEXT NOT NULL
) STRICT;
CREATE INDEX job_events_by_job ON job_events (job, number)
"""

STEPS = (_FIRST, _RESERVATIONS, _UNCONFIRMED, _INDEXES, _CONTROL, _PREDICTIONS, _WHOLE_JOB, _OWNER)
"""What leads from each format to the next."""

SCHEMA_VERSION = len(STEPS)
"""A journal of a later version is refused."""
