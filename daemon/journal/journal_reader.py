"""Reading the journal for the page: few rows, on a connection of its own that can write nothing and blocks nobody."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

from daemon.journal import job_record
from daemon.journal.job_history import Entry, entries_of
from daemon.journal.job_record import FINISHED, Job, State
from daemon.journal.journal import FILE_NAME
from daemon.journal.prediction_record import Prediction

_OVER = ", ".join(f"'{state}'" for state in sorted(FINISHED))


@dataclasses.dataclass(frozen=True, slots=True)
class Day:
    """What was spent on one UTC day, over all jobs; `unconfirmed_usd` is the most that lost answers may add."""

    day: str
    usd: float
    unconfirmed_usd: float


class Records:
    """A reader of the journal. Safe to use from several threads."""

    def __init__(self, state: Path) -> None:
        """Open the journal that lies in the state folder; it must be there."""
        self._mutex = threading.Lock()
        address = f"{(state / FILE_NAME).absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(address, uri=True, timeout=10.0, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            self._connection.close()

    def revision(self) -> int:
        """A number that changes whenever somebody wrote into the journal."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def job(self, job_id: str) -> Job | None:
        """One job, or None."""
        return next(iter(self._jobs("WHERE id = ?", job_id)), None)

    def unfinished(self) -> tuple[Job, ...]:
        """Jobs that are not over, those that run first, else oldest first."""
        return self._jobs(
            f"WHERE state NOT IN ({_OVER}) ORDER BY state <> 'waiting', state IN ('claimed', 'paused'), "
            "state = 'paused', created_at, id"
        )

    def finished(self, limit: int, *, states: Collection[State] = FINISHED, skip: int = 0) -> tuple[Job, ...]:
        """Jobs that are over in one of these states, newest end first."""
        marks = ", ".join("?" * len(states))
        clause = f"WHERE state IN ({marks}) ORDER BY updated_at DESC, id LIMIT ? OFFSET ?"
        return self._jobs(clause, *sorted(states), limit, skip)

    def of_model(self, name: str) -> tuple[Job, ...]:
        """Every job of a model, the newest first."""
        return self._jobs("WHERE name = ? ORDER BY created_at DESC, id", name)

    def failed(self, limit: int) -> tuple[Job, ...]:
        """Jobs that failed and were not dismissed, the newest first."""
        return self._jobs("WHERE state = 'failed' AND dismissed = 0 ORDER BY updated_at DESC, id LIMIT ?", limit)

    def history(self, job_id: str) -> tuple[Entry, ...]:
        """What a job went through, oldest first."""
        return entries_of(self._rows("SELECT at, kind, content FROM job_events WHERE job = ? ORDER BY number", job_id))

    def failed_count(self) -> int:
        """How many failed jobs nobody has dismissed."""
        return int(self._rows("SELECT COUNT(*) FROM jobs WHERE state = 'failed' AND dismissed = 0")[0][0])

    def job_counts(self) -> dict[State, int]:
        """How many jobs stand in each state; every state is there."""
        found = dict(tuple(row) for row in self._rows("SELECT state, COUNT(*) FROM jobs GROUP BY state"))
        return {state: found.get(str(state), 0) for state in State}

    def predictions(self, limit: int, *, model: str | None = None) -> tuple[Prediction, ...]:
        """Predictions, newest first; of one model where it is named."""
        clause, values = ("WHERE model = ? ", (model,)) if model is not None else ("", ())
        rows = self._rows(f"SELECT * FROM predictions {clause}ORDER BY created_at DESC, id LIMIT ?", *values, limit)  # noqa: S608
        names = {field.name for field in dataclasses.fields(Prediction)}
        return tuple(
            Prediction(**{name: value for name, value in _decoded(row).items() if name in names}) for row in rows
        )

    def prediction_counts(self) -> dict[str, int]:
        """How many predictions stand in each state."""
        found = dict(tuple(row) for row in self._rows("SELECT state, COUNT(*) FROM predictions GROUP BY state"))
        return {state: found.get(state, 0) for state in ("claimed", "done", "failed")}

    def days_of_spend(self, limit: int) -> tuple[Day, ...]:
        """What was spent on the last `limit` days that cost anything, newest first."""
        rows = self._rows(
            "SELECT day, SUM(usd), SUM(unconfirmed_usd) FROM spend GROUP BY day ORDER BY day DESC LIMIT ?", limit
        )
        return tuple(Day(*row) for row in rows)

    def spent_usd(self) -> float:
        """US dollars booked since the journal began."""
        return float(self._rows("SELECT COALESCE(SUM(usd), 0.0) FROM spend")[0][0])

    def _jobs(self, clause: str, *values: Any) -> tuple[Job, ...]:
        names = {field.name for field in dataclasses.fields(Job)}
        rows = map(_decoded, self._rows(f"SELECT * FROM jobs {clause}", *values))  # noqa: S608
        return tuple(job_record.of_row({name: row[name] for name in row if name in names}) for row in rows)

    def _rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._mutex:
            return self._connection.execute(statement, values).fetchall()


def _decoded(row: sqlite3.Row) -> dict[str, Any]:
    fields = dict(row)
    fields["error"] = None if row["error"] is None else json.loads(row["error"])
    return fields
