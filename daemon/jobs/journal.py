"""The journal: what was begun and what is finished, in SQLite, so that a restart knows.

WAL and synchronous=FULL: a committed line survives a power cut. Transactions are short; the daemon, and the command
line beside it, may write at the same time. A row is written before the side effect and finished after the rename.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from daemon.clock import Clock
from daemon.errors import JournalError, NewerJournalError, UnknownJobError
from daemon.jobs.job import FINISHED, Job, State, check_move
from daemon.jobs.prediction import Prediction
from daemon.jobs.schema import SCHEMA_VERSION, STEPS
from freeal import atomic
from freeal.errors import Where

FILE_NAME = "journal.sqlite"

_COLUMNS = [field.name for field in dataclasses.fields(Job)]


class Journal:
    """All access to the journal file. Safe to use from several threads."""

    def __init__(self, state: Path, clock: Clock) -> None:
        """Open or create the journal in the state folder. Raises `JournalError`, `NewerJournalError`."""
        self._path = state / FILE_NAME
        self._clock = clock
        self._mutex = threading.Lock()
        try:
            self._connection = sqlite3.connect(self._path, timeout=30.0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as cause:
            raise JournalError(f"cannot be opened: {cause}", where=Where(file=self._path)) from cause
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except sqlite3.DatabaseError as cause:
            self._connection.close()
            raise JournalError(
                f"cannot be used: {cause}", where=Where(file=self._path), hint="move it away to begin a new one"
            ) from cause
        except NewerJournalError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        with self.transaction():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise NewerJournalError(
                    f"was written by a later version (format {version}; this one knows {SCHEMA_VERSION})",
                    where=Where(file=self._path),
                    hint="upgrade, or point `state` at another folder",
                )
            for statement in ";".join(STEPS[version:]).split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log in and let go of the file."""
        with self._mutex:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that take effect together or not at all."""
        with self._mutex, atomic.transaction(self._connection) as connection:
            yield connection

    # Jobs

    def add(self, job: Job) -> None:
        """Write a new job down, before anything is done for it."""
        marks = ", ".join("?" * len(_COLUMNS))
        values = [_to_column(getattr(job, name)) for name in _COLUMNS]
        with self.transaction() as connection:
            connection.execute(f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks})", values)  # noqa: S608

    def forget(self, job_id: str) -> None:
        """Strike out a job whose files could not be taken: they are still in the inbox."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ? AND state = 'claimed'", (job_id,))

    def job(self, job_id: str) -> Job:
        """One job. Raises `UnknownJobError`."""
        found = self._jobs("WHERE id = ?", job_id)
        if not found:
            raise UnknownJobError(f"there is no job {job_id!r}", hint="`python -m daemon status` lists them")
        return found[0]

    def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        return self._jobs("ORDER BY created_at, id")

    def unfinished(self) -> list[Job]:
        """The jobs that are neither done, failed nor cancelled, oldest first."""
        finished = sorted(FINISHED)
        return self._jobs(f"WHERE state NOT IN ({', '.join('?' * len(finished))}) ORDER BY created_at, id", *finished)

    def done_with_key(self, key: str) -> list[Job]:
        """Complete jobs of the same content, newest first. One that stopped at a budget is not complete."""
        return self._jobs(
            "WHERE key = ? AND state = 'done' AND partial = 0 AND reason = '' ORDER BY created_at DESC", key
        )

    def requests(self) -> list[Job]:
        """Jobs somebody asked on the command line to cancel or retry."""
        return self._jobs("WHERE request <> '' ORDER BY updated_at")

    def _jobs(self, clause: str, *values: Any) -> list[Job]:
        with self._mutex:
            rows = self._connection.execute(f"SELECT * FROM jobs {clause}", values).fetchall()  # noqa: S608
        return [_job(row) for row in rows]

    def move(self, job_id: str, state: State, **changes: Any) -> Job:
        """Send a job to a state, with other fields on the way. Raises `IllegalMoveError`."""
        with self.transaction() as connection:
            row = connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row is None:
                raise UnknownJobError(f"there is no job {job_id!r}")
            if row["state"] != state:
                check_move(State(row["state"]), state)
            self._update(connection, job_id, changes | {"state": state})
        return self.job(job_id)

    def note(self, job_id: str, **changes: Any) -> None:
        """Change fields of a job that do not move it: progress, spend, a request."""
        with self.transaction() as connection:
            self._update(connection, job_id, changes)

    def _update(self, connection: sqlite3.Connection, job_id: str, changes: dict[str, Any]) -> None:
        changes = changes | {"updated_at": self._clock.wall()}
        assignments = ", ".join(f"{name} = ?" for name in changes)
        values = [_to_column(value) for value in changes.values()]
        connection.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", [*values, job_id])  # noqa: S608

    # Predictions

    def add_prediction(self, prediction: Prediction) -> None:
        """Write a claimed CSV of the predict lane down."""
        names = [field.name for field in dataclasses.fields(Prediction)]
        values = [_to_column(getattr(prediction, name)) for name in names]
        with self.transaction() as connection:
            connection.execute(
                f"INSERT INTO predictions ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608
                values,
            )

    def finish_prediction(
        self, prediction_id: str, *, state: str, rows: int | None = None, error: dict[str, Any] | None = None
    ) -> None:
        """Close a prediction as `done` or `failed`."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE predictions SET state = ?, rows = ?, error = ?, updated_at = ? WHERE id = ?",
                (state, rows, _to_column(error), self._clock.wall(), prediction_id),
            )

    def forget_prediction(self, prediction_id: str) -> None:
        """Strike out a prediction whose CSV could not be taken: it still lies in the predict folder."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM predictions WHERE id = ? AND state = 'claimed'", (prediction_id,))

    def predictions(self) -> list[Prediction]:
        """Every prediction, oldest first."""
        with self._mutex:
            rows = self._connection.execute("SELECT * FROM predictions ORDER BY created_at, id").fetchall()
        return [Prediction(**_decoded(row)) for row in rows]

    # Heartbeat

    def beat(self, pid: int) -> None:
        """The main loop turned."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO heartbeat VALUES (1, ?, ?)", (pid, self._clock.wall()))

    def heartbeat(self) -> tuple[int, float] | None:
        """(process id, seconds since 1970) of the last turn; None when no daemon ever ran here."""
        with self._mutex:
            row = self._connection.execute("SELECT pid, at FROM heartbeat").fetchone()
        return None if row is None else (row["pid"], row["at"])


def _to_column(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value


def _decoded(row: sqlite3.Row) -> dict[str, Any]:
    fields = dict(row)
    fields["error"] = None if row["error"] is None else json.loads(row["error"])
    return fields


def _job(row: sqlite3.Row) -> Job:
    fields = _decoded(row)
    fields |= {"state": State(row["state"]), "force": bool(row["force"]), "partial": bool(row["partial"])}
    return Job(**fields)
