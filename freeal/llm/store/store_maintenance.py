"""The answer store from outside: what lies in it, what it says of bills, and making it smaller."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from freeal.errors import ConfigError, Where
from freeal.llm.store import bill_records, store_file
from freeal.llm.store.store_file import store_unusable_error
from freeal.types import Bill

_ROWS_PER_STEP = 1_000
_PAGES_PER_STEP = 1_000
"""Of 4 KiB: jobs that write meanwhile wait a few milliseconds for a step, and not for the whole file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What one model's share of an answer store is. Times are seconds since 1970."""

    asked_of: str
    """`provider/model`; empty for answers stored by a version that did not note it."""
    entries: int
    hits: int
    """How often one of them was used instead of asking again."""
    newest_at: float


def store_contents(path: Path) -> list[Contents]:
    """What lies in the store, the largest share first. Raises `ConfigError`."""
    query = (
        "SELECT asked_of, COUNT(*), SUM(hits), MAX(stored_at) FROM replies GROUP BY asked_of ORDER BY COUNT(*) DESC, 1"
    )
    with _existing_store(path) as connection:
        return [Contents(*row) for row in connection.execute(query)]


def size_bytes(path: Path) -> int:
    """The file with what SQLite keeps beside it."""
    beside = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
    return sum(file.stat().st_size for file in beside if file.exists())


def bills_in_store(path: Path) -> dict[str, Bill]:
    """What every job was billed, what is under way, or was when it was killed, as unconfirmed.

    A missing file holds none. Raises `ConfigError` and `StoreBusyError`.
    """
    if not path.is_file():
        return {}
    with _existing_store(path) as connection:
        return bill_records.all_billed(connection)


def prune_store(path: Path, *, older_than_seconds: float, now: float | None = None) -> int:
    """Delete answers that were neither stored nor used within `older_than_seconds`, and give their room back.

    Returns how many. Jobs may go on meanwhile: it is done in small steps, save for a file of an earlier version, which
    is rewritten once. Raises `ConfigError` and `StoreBusyError`.
    """
    before = (time.time() if now is None else now) - older_than_seconds
    deleted = 0
    with _existing_store(path) as connection:
        while True:
            step = connection.execute(
                "DELETE FROM replies WHERE key IN (SELECT key FROM replies WHERE MAX(stored_at, used_at) < ? LIMIT ?)",
                (before, _ROWS_PER_STEP),
            ).rowcount
            deleted += step
            if step < _ROWS_PER_STEP:
                break
        connection.execute("DELETE FROM bills WHERE updated_at < ?", (before,))
        _vacuum_store(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return deleted


def _vacuum_store(connection: sqlite3.Connection) -> None:
    (in_steps,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if not in_steps:  # made by an earlier version: once for all, jobs wait for it
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    while (free := connection.execute("PRAGMA freelist_count").fetchone()[0]) > 0:
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})").fetchall()
        if connection.execute("PRAGMA freelist_count").fetchone()[0] >= free:
            return  # somebody writes as fast as we give back


@contextlib.contextmanager
def _existing_store(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store that exists, brought to this version's format."""
    if not path.is_file():
        raise ConfigError("there is no answer store", where=Where(file=path), hint="nothing was asked yet, or name it")
    connection = store_file.open_store_file(path)
    try:
        yield connection
    except sqlite3.DatabaseError as cause:
        raise store_unusable_error(path, cause) from cause
    finally:
        connection.close()
