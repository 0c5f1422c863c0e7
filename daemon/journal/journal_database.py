"""The journal's file: opened, brought to our format, and never half written.

WAL and synchronous=FULL: a committed line survives a power cut. Foreign errors become ours here: a full disk is a
`DiskError`, a file that is no sound database a `DamagedJournalError`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from daemon.errors import DaemonError, DamagedJournalError, JournalError, NewerJournalError, OlderJournalError
from daemon.host import disk_errors
from daemon.journal.schema import SCHEMA_VERSION, STEPS
from freeal.errors import Where
from freeal.files.sqlite_transaction import transaction

FILE_NAME = "journal.sqlite"
DAMAGED = f"{FILE_NAME}.damaged-"
"""How the name of one that was set aside begins."""

_BUSY_TIMEOUT_SECONDS = 30.0
Record = TypeVar("Record")
_TABLES = {"jobs", "predictions", "spend", "reservations", "heartbeat", "job_events"}
_DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class JournalFile:
    """One connection to the file. Safe to use from several threads."""

    def __init__(self, state: Path, *, may_convert: bool) -> None:
        """Open or create; one of an earlier format is brought to ours where it may be: not under a running service.

        Raises `DamagedJournalError`, `NewerJournalError`, `OlderJournalError`, `DiskError`, `JournalError`.
        """
        self.path = state / FILE_NAME
        self._mutex = threading.Lock()
        with self._translate_database_errors():
            self.connection = sqlite3.connect(
                self.path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
        self.connection.row_factory = sqlite3.Row
        try:
            with self._translate_database_errors():
                self._prepare_schema(may_convert=may_convert)
        except DaemonError:
            self.connection.close()
            raise

    def _prepare_schema(self, *, may_convert: bool) -> None:
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        version = self._version()
        if version == SCHEMA_VERSION:
            return  # nothing to write: `status` works on a full disk too
        if version == 0 and self.connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise _damaged(self.path, "it holds another database, or the write-ahead log of one lies beside it")
        if 0 < version < SCHEMA_VERSION and not may_convert:
            raise OlderJournalError(
                f"is in use by a service of an earlier version (format {version}; this one writes {SCHEMA_VERSION})",
                where=Where(file=self.path),
                hint="restart the service: it brings the journal to the new format",
            )
        with transaction(self.connection) as connection:
            version = self._version()
            if version > SCHEMA_VERSION:
                raise NewerJournalError(
                    f"was written by a later version (format {version}; this one knows {SCHEMA_VERSION})",
                    where=Where(file=self.path),
                    hint="upgrade, or point `state` at another folder",
                )
            for statement in ";".join(STEPS[version:]).split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def check_database(self) -> None:
        """Read every page. Raises `DamagedJournalError`."""
        found = [row[0] for row in self.rows("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise _damaged(self.path, "; ".join(found))
        # the write-ahead log of another database gives sound pages of something else
        if lacking := _TABLES - {row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}:
            raise _damaged(self.path, f"it has no table {', '.join(sorted(lacking))}")

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._mutex, self._translate_database_errors():
            return self.connection.execute(query, values).fetchall()

    def records(
        self, table: str, clause: str, values: Sequence[Any], *, make: Callable[[sqlite3.Row], Record]
    ) -> list[Record]:
        """What `make` makes of the rows of a table. One that makes no record is damage like any other: met at every
        turn, it would keep all work from being done."""
        rows = self.rows(f"SELECT * FROM {table} {clause}", *values)  # noqa: S608
        try:
            return [make(row) for row in rows]
        except (ValueError, TypeError, KeyError) as cause:
            raise _damaged(self.path, f"a row of {table} cannot be read: {cause}") from cause

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that take effect together or not at all."""
        with self._mutex, self._translate_database_errors(), transaction(self.connection) as connection:
            yield connection

    def close(self) -> None:
        """Fold the write-ahead log in and let go of the file."""
        with self._mutex:
            self.connection.close()

    @contextlib.contextmanager
    def _translate_database_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as cause:
            code: int = getattr(cause, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED_CODES:
                raise _damaged(self.path, str(cause)) from cause
            if trouble := disk_errors.of_sqlite(cause, self.path):
                raise trouble from cause
            raise JournalError(f"cannot be used: {cause}", where=Where(file=self.path)) from cause


def _damaged(path: Path, problem: str) -> DamagedJournalError:
    hint = "the service sets it aside at its next start and builds a new one from the folders"
    return DamagedJournalError(f"is damaged: {problem}", where=Where(file=path), hint=hint)
