"""The answer store as a file: opening it, its format, and what it means when SQLite cannot work with it."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from pathlib import Path

from freeal.errors import ConfigError, FreealError, StoreBusyError, Where
from freeal.files.sqlite_transaction import transaction
from freeal.llm.store import bill_records

SCHEMA_VERSION = 4
"""Raised with every change; a file of a later version is refused."""

BUSY_TIMEOUT_SECONDS = 600.0
"""How long somebody else may hold the file: what waits meanwhile is paid for, and waiting costs nothing."""

_STEPS = (
    ("CREATE TABLE replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, stored_at REAL NOT NULL) WITHOUT ROWID",),
    (
        "ALTER TABLE replies ADD COLUMN asked_of TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE replies ADD COLUMN hits INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE replies ADD COLUMN used_at REAL NOT NULL DEFAULT 0",
        bill_records.BILLS,
    ),
    (bill_records.OPEN_CALLS,),
    bill_records.WHOSE_BILLS,
)
"""What leads from each format to the next."""


def open_store_file(path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> sqlite3.Connection:
    """A connection in autocommit mode to the store at `path`, which is made, or brought to this version's format: WAL,
    a full sync per commit.

    Raises `ConfigError` for a file that is damaged, is no answer store or was written by a later version, and
    `StoreBusyError` after `busy_timeout_seconds` in which somebody else held it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, timeout=busy_timeout_seconds, isolation_level=None, check_same_thread=False)
    except sqlite3.DatabaseError as cause:
        raise store_unusable_error(path, cause, waited_seconds=busy_timeout_seconds) from cause
    try:
        # Of a new file, before anything else: its room can be given back in small steps.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _enter_wal_mode(connection, busy_timeout_seconds)
        connection.execute("PRAGMA synchronous=FULL")
        _migrate_store(connection, path)
    except sqlite3.DatabaseError as cause:
        connection.close()
        raise store_unusable_error(path, cause, waited_seconds=busy_timeout_seconds) from cause
    except BaseException:
        connection.close()
        raise
    return connection


def _enter_wal_mode(connection: sqlite3.Connection, busy_timeout_seconds: float) -> None:
    # The change of mode needs the file for itself for a moment and does not wait for the busy timeout.
    deadline = time.monotonic() + busy_timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as cause:
            if not is_busy(cause) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _migrate_store(connection: sqlite3.Connection, path: Path) -> None:
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"the answer store has format {version}; this version reads up to {SCHEMA_VERSION}",
                where=Where(file=path),
                hint="it was written by a later version of this software: use that one",
            )
        for statement in itertools.chain.from_iterable(_STEPS[version:]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def is_busy(cause: sqlite3.DatabaseError) -> bool:
    """Whether somebody else holds the file."""
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def store_busy_error(path: Path, waited_seconds: float) -> StoreBusyError:
    """The error for a file that somebody else did not let go of in time."""
    return StoreBusyError(
        f"another process has held the answer store for {waited_seconds:g} seconds",
        where=Where(file=path),
        hint="find it with `fuser` or `lsof`, a backup or a shell of sqlite3 perhaps, and let it end",
    )


def store_unusable_error(
    path: Path, cause: sqlite3.DatabaseError, *, waited_seconds: float = BUSY_TIMEOUT_SECONDS
) -> FreealError:
    """The error for a file that SQLite cannot work with."""
    if is_busy(cause):
        return store_busy_error(path, waited_seconds)
    if _is_kept_shut(path, cause):
        return StoreBusyError(
            f"the machine does not let the answer store be opened now: {cause}",
            where=Where(file=path),
            hint="it passes once fewer files are open; `ulimit -n` shows how many may be",
        )
    return ConfigError(
        f"the answer store cannot be used: {cause}",
        where=Where(file=path),
        hint="move the file away: a new one is made, and its answers are asked for again",
    )


def _is_kept_shut(path: Path, cause: sqlite3.DatabaseError) -> bool:
    """Whether a file that may be opened could not be: nothing is wrong with it, and it must not be moved away."""
    could_not = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN
    return could_not and path.is_file() and os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)
