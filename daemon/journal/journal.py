"""The journal: what was begun and what is finished, in SQLite, so that a restart knows.

Transactions are short; the daemon, and the command line beside it, may write at the same time. A row is written before
the side effect and finished after the rename. What is asked at every turn of the service has an index of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from daemon.errors import UnknownJobError
from daemon.host.clock import Clock
from daemon.journal import job_record, journal_database
from daemon.journal.job_record import FINISHED, Job, State, check_move
from daemon.journal.journal_database import JournalFile
from daemon.journal.prediction_record import Prediction
from daemon.journal.schema import UNFINISHED

FILE_NAME = journal_database.FILE_NAME
FINISHED_KEPT = 10_000
"""Finished jobs, and finished predictions, that the journal remembers; the files of all stay."""
PRUNE_EVERY = 1_000
"""Endings between two looks for what is beyond that."""


class Journal:
    """All access to the journal file. Safe to use from several threads."""

    def __init__(self, state: Path, clock: Clock, *, may_convert: bool = True) -> None:
        """Open or create the journal in the state folder. Raises what `JournalFile` does.

        `may_convert` is for the holder of the state folder's lock, or where nobody holds it.
        """
        self._file = JournalFile(state, may_convert=may_convert)
        self._clock = clock
        self._ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def check(self) -> None:
        """Read every page. Raises `DamagedJournalError`."""
        self._file.check_database()

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """The connection, for statements that take effect together or not at all."""
        return self._file.transaction()

    # Jobs

    def add(self, job: Job) -> None:
        """Write a new job down, before anything is done for it."""
        with self.transaction() as connection:
            _insert(connection, "jobs", job)

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

    def has_job(self, job_id: str) -> bool:
        """Whether an id is taken."""
        return bool(self._file.rows("SELECT 1 FROM jobs WHERE id = ?", job_id))

    def unfinished(self) -> list[Job]:
        """The jobs that are neither done, failed nor cancelled, oldest first."""
        return self._jobs(f"WHERE {UNFINISHED} ORDER BY created_at, id")

    def claimed_from(self, origin: str) -> list[Job]:
        """Claims of these very files (`Job.origin`) that no run has begun with, oldest first."""
        clause = f"WHERE {UNFINISHED} AND state IN ('claimed', 'paused') AND attempts = 0 AND origin = ?"
        return self._jobs(f"{clause} ORDER BY created_at, id", origin)

    def finished(self, most: int) -> list[Job]:
        """The `most` jobs that ended last among the newest, oldest first."""
        return self._jobs(f"WHERE NOT ({UNFINISHED}) ORDER BY created_at DESC, id DESC LIMIT ?", most)[::-1]

    def ids_newest_first(self) -> list[str]:
        """The ids of all jobs and predictions."""
        rows = self._file.rows(
            "SELECT id, created_at FROM jobs UNION ALL SELECT id, created_at FROM predictions ORDER BY 2 DESC, 1 DESC"
        )
        return [row["id"] for row in rows]

    def done_with_key(self, key: str) -> list[Job]:
        """Complete jobs of the same content, newest first. One that stopped at a budget is not complete."""
        return self._jobs(
            "WHERE key = ? AND state = 'done' AND partial = 0 AND reason = '' ORDER BY created_at DESC", key
        )

    def requests(self) -> list[Job]:
        """Jobs somebody asked on the command line to cancel or retry."""
        return self._jobs("WHERE request <> '' ORDER BY updated_at")

    def _jobs(self, clause: str, *values: Any) -> list[Job]:
        return self._file.records("jobs", clause, values, make=_job)

    def move(self, job_id: str, state: State, **changes: Any) -> Job:
        """Send a job to a state, with other fields on the way. Raises `IllegalMoveError`."""
        with self.transaction() as connection:
            row = connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row is None:
                raise UnknownJobError(f"there is no job {job_id!r}")
            if row["state"] != state:
                check_move(State(row["state"]), state)
            self._update(connection, job_id, changes | {"state": state})
        if state in FINISHED:
            self._prune_now_and_then()
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
        with self.transaction() as connection:
            _insert(connection, "predictions", prediction)

    def finish_prediction(
        self,
        prediction_id: str,
        *,
        state: str,
        rows: int | None = None,
        error: dict[str, Any] | None = None,
        warnings: str = "",
    ) -> None:
        """Close a prediction as `done` or `failed`."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE predictions SET state = ?, rows = ?, error = ?, warnings = ?, updated_at = ? WHERE id = ?",
                (state, rows, _to_column(error), warnings, self._clock.wall(), prediction_id),
            )
        self._prune_now_and_then()

    def note_prediction(self, prediction_id: str, **changes: Any) -> None:
        """Change fields of a prediction that do not end it: version, progress, a request."""
        changes = changes | {"updated_at": self._clock.wall()}
        assignments = ", ".join(f"{name} = ?" for name in changes)
        values = [_to_column(value) for value in changes.values()]
        with self.transaction() as connection:
            connection.execute(f"UPDATE predictions SET {assignments} WHERE id = ?", [*values, prediction_id])  # noqa: S608

    def forget_prediction(self, prediction_id: str) -> None:
        """Strike out a prediction whose CSV could not be taken: it still lies in the predict folder."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM predictions WHERE id = ? AND state = 'claimed'", (prediction_id,))

    def predictions(self) -> list[Prediction]:
        """Every prediction, oldest first."""
        return self._predictions("ORDER BY created_at, id")

    def claimed_predictions(self) -> list[Prediction]:
        """Those that were begun and are not finished, oldest first."""
        return self._predictions("WHERE state = 'claimed' ORDER BY created_at, id")

    def predictions_to_cancel(self) -> list[str]:
        """The ids of those that somebody asked to cancel and that are not finished."""
        query = "SELECT id FROM predictions WHERE state = 'claimed' AND request = 'cancel'"
        return [str(row["id"]) for row in self._file.rows(query)]

    def predictions_ended_since(self, moment: float) -> list[Prediction]:
        """Those that are done or failed since then (seconds since 1970), oldest first."""
        return self._predictions("WHERE state <> 'claimed' AND updated_at >= ? ORDER BY created_at, id", moment)

    def warned_predictions(self, most: int) -> list[Prediction]:
        """The `most` that ended last among those whose labels should be looked at, newest first."""
        return self._predictions("WHERE state = 'done' AND warnings <> '' ORDER BY updated_at DESC LIMIT ?", most)

    def prediction_counts(self) -> dict[str, int]:
        """How many are in each state that occurs."""
        return dict(tuple(row) for row in self._file.rows("SELECT state, COUNT(*) FROM predictions GROUP BY state"))

    def prediction(self, prediction_id: str) -> Prediction | None:
        """One prediction, if there is one of this id."""
        return next(iter(self._predictions("WHERE id = ?", prediction_id)), None)

    def has_prediction(self, prediction_id: str) -> bool:
        """Whether an id is taken."""
        return bool(self._file.rows("SELECT 1 FROM predictions WHERE id = ?", prediction_id))

    def _predictions(self, clause: str, *values: Any) -> list[Prediction]:
        return self._file.records("predictions", clause, values, make=lambda row: Prediction(**_decoded(row)))

    # Both

    def is_empty(self) -> bool:
        """Whether nothing was ever written down, or all of it is lost."""
        return not self._file.rows("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM predictions LIMIT 1")

    def fill_from_folders(
        self, jobs: Iterable[Job], predictions: Iterable[Prediction], *, spend: Iterable[tuple[Any, ...]]
    ) -> None:
        """Write down what was found elsewhere, all of it or nothing. `spend`: (day, job, usd, unconfirmed usd)."""
        with self.transaction() as connection:
            for job in jobs:
                _insert(connection, "jobs", job)
            for prediction in predictions:
                _insert(connection, "predictions", prediction)
            connection.executemany("INSERT INTO spend (day, job, usd, unconfirmed_usd) VALUES (?, ?, ?, ?)", spend)

    def prune(self, keep: int = FINISHED_KEPT) -> int:
        """Strike out finished jobs, and finished predictions, beyond the newest `keep` of each; how many went.

        Files are not touched. A job that was struck out can no longer be retried, nor stand in for one of the same
        content; what was spent stays booked.
        """
        gone = 0
        with self.transaction() as connection:
            for table, ended in (("jobs", f"NOT ({UNFINISHED})"), ("predictions", "state <> 'claimed'")):
                gone += connection.execute(
                    f"DELETE FROM {table} WHERE {ended} AND created_at < (SELECT created_at FROM {table}"  # noqa: S608
                    f" WHERE {ended} ORDER BY created_at DESC LIMIT 1 OFFSET ?)",
                    (keep - 1,),
                ).rowcount
            connection.execute("DELETE FROM job_events WHERE job NOT IN (SELECT id FROM jobs)")
        return gone

    def _prune_now_and_then(self) -> None:
        self._ended += 1
        if self._ended % PRUNE_EVERY == 0:
            self.prune()

    # Heartbeat

    def beat(self, pid: int, health: dict[str, Any] | None = None) -> None:
        """The service lives; `health` is what `status` tells of it."""
        values = (pid, self._clock.wall(), json.dumps(health or {}))
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO heartbeat (one, pid, at, health) VALUES (1, ?, ?, ?)", values)

    def health(self) -> dict[str, Any]:
        """What the service last said of itself; empty when none ever ran here."""
        return next((dict(json.loads(row["health"])) for row in self._file.rows("SELECT health FROM heartbeat")), {})

    def heartbeat(self) -> tuple[int, float] | None:
        """(process id, seconds since 1970) of the last turn; None when no daemon ever ran here."""
        return next(((row["pid"], row["at"]) for row in self._file.rows("SELECT pid, at FROM heartbeat")), None)


def _insert(connection: sqlite3.Connection, table: str, record: Job | Prediction) -> None:
    names = [field.name for field in dataclasses.fields(record)]
    values = [_to_column(getattr(record, name)) for name in names]
    marks = ", ".join("?" * len(names))
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values)  # noqa: S608


def _to_column(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value


def _decoded(row: sqlite3.Row) -> dict[str, Any]:
    fields = dict(row)
    fields["error"] = None if row["error"] is None else json.loads(row["error"])
    return fields


def _job(row: sqlite3.Row) -> Job:
    return job_record.of_row(_decoded(row))
