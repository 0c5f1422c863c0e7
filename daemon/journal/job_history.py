"""What a job went through: its stages, the figures of its finished rounds, what it said. For whoever looks later."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Literal

from daemon.host.clock import Clock
from daemon.journal.journal import Journal

MOST_ENTRIES = 500
"""Of one job: the oldest go first."""

Kind = Literal["stage", "round", "notice"]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened `at` (seconds since 1970).

    stage: `stage`, `round`, `rounds`; round: its entry in metrics.json; notice: `message`.
    """

    at: float
    kind: str
    content: dict[str, Any]


class History:
    """Writes them down."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def add_entry(self, job_id: str, kind: Kind, content: dict[str, Any]) -> None:
        """Note what happened to a job just now. Raises what the journal does."""
        values = (job_id, self._clock.wall(), kind, json.dumps(content, ensure_ascii=False))
        with self._journal.transaction() as connection:
            connection.execute("INSERT INTO job_events (job, at, kind, content) VALUES (?, ?, ?, ?)", values)
            connection.execute(
                "DELETE FROM job_events WHERE job = ? AND number <= (SELECT number FROM job_events WHERE job = ?"
                " ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (job_id, job_id, MOST_ENTRIES),
            )


def forget(journal: Journal, job_id: str) -> None:
    """A job's story begins anew: what was told so far is its pilot's."""
    with journal.transaction() as connection:
        connection.execute("DELETE FROM job_events WHERE job = ?", (job_id,))


def entries_of(rows: Iterable[sqlite3.Row]) -> tuple[Entry, ...]:
    """Entries from the columns `at`, `kind`, `content`."""
    return tuple(Entry(row["at"], row["kind"], json.loads(row["content"])) for row in rows)
