"""The record of batches: which were meant to be sent, which were, and what is in them. Survives kill -9.

A file of its own beside the answer store, shared by all jobs: it can be thrown away when no batch is under way, which
is not true of the answers, and a batch can be looked up without opening them. An entry is written before a batch is
created (an intention, without the batch's id) and completed after; it goes when all results are in the answer store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from freeal.errors import ConfigError, Where
from freeal.files.sqlite_transaction import transaction

FILE_NAME = "batches.sqlite"
"""Beside the answer store."""

KEPT_SECONDS = 30 * 86_400.0
"""Anthropic keeps the results of a batch for 29 days: of an older one nothing can be had. The service has the last word
on that, and nothing is forgotten because of a clock of ours."""

_SCHEMA_VERSION = 2
_BUSY_TIMEOUT_SECONDS = 600.0
_BATCHES = """CREATE TABLE batches (
    intention TEXT PRIMARY KEY, job TEXT NOT NULL, endpoint TEXT NOT NULL, newest_before TEXT, batch_id TEXT,
    requests INTEGER NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL
) WITHOUT ROWID"""
_REQUESTS = """CREATE TABLE requests (
    intention TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (intention, key)
) WITHOUT ROWID"""
_STEPS = (
    (_BATCHES, _REQUESTS),
    ("ALTER TABLE batches ADD COLUMN newest_before_at REAL",),
)
"""What leads from each format to the next."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One batch, or the intention to create one. `created_at` is the Unix time of the intention, by our clock."""

    intention: str
    """Sixteen hexadecimal digits, unique to this attempt; every `custom_id` of the batch begins with it."""
    job: str
    endpoint: str
    """Where it was sent to: a batch of another address is not there."""
    newest_before: str | None
    """The newest batch on the server when the intention was written: ours can only be newer."""
    newest_before_at: float | None
    """The Unix time at which that one was created, by the server's clock."""
    batch_id: str | None
    """None as long as nobody knows whether the server has it."""
    requests: int
    cancelled: bool
    """Whether a job's cancellation cancelled it too."""
    created_at: float

    def custom_id(self, key: str) -> str:
        """The name of a request in this batch: at most 64 of the characters Anthropic allows."""
        return f"{self.intention}-{key[:47]}"


_COLUMNS = [field.name for field in dataclasses.fields(Entry)]


class BatchBook:
    """The record, in one SQLite file. Safe with several processes and threads; its methods block on the disk.

    Raises `ConfigError` for a file that is damaged or was written by a later version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._migrate_journal(path)
        except sqlite3.DatabaseError as cause:
            self._connection.close()
            raise ConfigError(
                f"the record of batches cannot be used: {cause}",
                where=Where(file=path),
                hint="move the file away; batches that are under way are then not found again and are sent anew",
            ) from cause
        except ConfigError:
            self._connection.close()
            raise

    def note_intention(
        self,
        *,
        job: str,
        endpoint: str,
        newest_before: str | None,
        newest_before_at: float | None = None,
        keys: Sequence[str],
    ) -> Entry:
        """Write down that a batch of these requests is about to be created."""
        entry = Entry(
            intention=secrets.token_hex(8),
            job=job,
            endpoint=endpoint,
            newest_before=newest_before,
            newest_before_at=newest_before_at,
            batch_id=None,
            requests=len(keys),
            cancelled=False,
            created_at=time.time(),
        )
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO batches (intention, job, endpoint, newest_before, newest_before_at, requests, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry.intention, job, endpoint, newest_before, newest_before_at, entry.requests, entry.created_at),
            )
            connection.executemany("INSERT INTO requests VALUES (?, ?)", [(entry.intention, key) for key in keys])
        return entry

    def created(self, entry: Entry, batch_id: str) -> None:
        """The server has it, under this id."""
        self._change("UPDATE batches SET batch_id = ? WHERE intention = ?", batch_id, entry.intention)

    def cancelled(self, entry: Entry) -> None:
        """Its job was cancelled, and with it the batch: what it leaves unanswered may be asked again."""
        self._change("UPDATE batches SET cancelled = 1 WHERE intention = ?", entry.intention)

    def close_entry(self, entry: Entry) -> None:
        """Strike out a batch whose results are stored, or which does not exist."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM requests WHERE intention = ?", (entry.intention,))
            connection.execute("DELETE FROM batches WHERE intention = ?", (entry.intention,))

    def open_entries(self, endpoint: str | None = None, *, job: str | None = None) -> list[Entry]:
        """What is not struck out, oldest first; of one address, or one job, where they are given."""
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM batches"  # noqa: S608 - names of ours
                " WHERE (? IS NULL OR endpoint = ?) AND (? IS NULL OR job = ?) ORDER BY created_at, intention",
                (endpoint, endpoint, job, job),
            ).fetchall()
        return [_entry(dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def keys(self, entry: Entry) -> list[str]:
        """The request keys in a batch."""
        with self._lock:
            rows = self._connection.execute("SELECT key FROM requests WHERE intention = ?", (entry.intention,))
            return [key for (key,) in rows]

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def _change(self, statement: str, *values: str) -> None:
        with self._transaction() as connection:
            connection.execute(statement, values)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._connection) as connection:
            yield connection

    def _migrate_journal(self, path: Path) -> None:
        # No write-ahead log: entries are few, and without one the file opens in one step, however many do it at once.
        self._connection.execute("PRAGMA synchronous=FULL")
        with self._transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _SCHEMA_VERSION:
                raise ConfigError(
                    f"the record of batches has format {version}; this version reads up to {_SCHEMA_VERSION}",
                    where=Where(file=path),
                    hint="it was written by a later version of this software: use that one",
                )
            for statement in itertools.chain.from_iterable(_STEPS[version:]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _entry(columns: dict[str, Any]) -> Entry:
    return Entry(**columns | {"cancelled": bool(columns["cancelled"])})
