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

STEPS = (_FIRST, _RESERVATIONS, _UNCONFIRMED)
"""What leads from each format to the next."""

SCHEMA_VERSION = len(STEPS)
"""A journal of a later version is refused."""
