"""The money of the day: what was spent, and what running jobs may still spend, in the journal's database.

A job's share is set aside before its process starts and shrinks as it spends, in one transaction each, so that the cap
per day holds over all jobs and whatever processes of theirs are still on the way out.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from daemon.host.clock import Clock, day, next_day
from daemon.journal.journal import Journal
from daemon.journal.schema import UNFINISHED

LEAST_USD = 1e-9
"""What is left below this is the rounding of floating point, not money."""

_SPENT_ON = "SELECT COALESCE(SUM(usd), 0.0), COALESCE(SUM(unconfirmed_usd), 0.0) FROM spend WHERE day BETWEEN ? AND ?"


class Purse:
    """Books and reserves. Safe to use from several threads and processes."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def _today(self) -> tuple[str, str]:
        """The day, and the one after it: what was booked there came from a clock that has been set back since, and
        must not make room for a second day's spend. Days further ahead are a clock that was plainly wrong."""
        now = self._clock.wall()
        return day(now), day(next_day(now))

    def book_spend(self, job_id: str, usd: float) -> None:
        """Add to what the job and the day spent and take it off what the job has reserved."""
        with self._journal.transaction() as connection:
            connection.execute(
                "INSERT INTO spend (day, job, usd) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET usd = usd + excluded.usd",
                (day(self._clock.wall()), job_id, usd),
            )
            connection.execute("UPDATE reservations SET usd = MAX(0.0, usd - ?) WHERE job = ?", (usd, job_id))
            connection.execute("UPDATE jobs SET usd = usd + ? WHERE id = ?", (usd, job_id))

    def book_unconfirmed(self, job_id: str, total_usd: float) -> None:
        """Bring what a job may have been billed for lost replies to `total_usd`, all its days together.

        It counts against the day like money spent, as a figure of its own, and is taken back where it turns out: a
        batch that was under way when its job was killed has been read.
        """
        with self._journal.transaction() as connection:
            (known,) = connection.execute(
                "SELECT COALESCE(SUM(unconfirmed_usd), 0.0) FROM spend WHERE job = ?", (job_id,)
            ).fetchone()
            step = total_usd - known
            if step < -LEAST_USD:
                _take_back_unconfirmed(connection, job_id, -step)
            if step <= LEAST_USD:
                return
            connection.execute(
                "INSERT INTO spend (day, job, usd, unconfirmed_usd) VALUES (?, ?, 0.0, ?) "
                "ON CONFLICT DO UPDATE SET unconfirmed_usd = unconfirmed_usd + excluded.unconfirmed_usd",
                (day(self._clock.wall()), job_id, step),
            )
            connection.execute("UPDATE reservations SET usd = MAX(0.0, usd - ?) WHERE job = ?", (step, job_id))

    def unconfirmed_by_job(self) -> dict[str, float]:
        """The most that lost replies may have cost, all days together, by job."""
        with self._journal.transaction() as connection:
            return dict(connection.execute("SELECT job, SUM(unconfirmed_usd) FROM spend GROUP BY job").fetchall())

    def unconfirmed_today_usd(self) -> float:
        """The most that lost replies may have cost on the current UTC day, over all jobs."""
        with self._journal.transaction() as connection:
            return float(connection.execute(_SPENT_ON, self._today()).fetchone()[1])

    def spent_by_usd(self, job_id: str) -> float:
        """US dollars booked for a job, all days together."""
        with self._journal.transaction() as connection:
            query = "SELECT COALESCE(SUM(usd), 0.0) FROM spend WHERE job = ?"
            return float(connection.execute(query, (job_id,)).fetchone()[0])

    def spent_today_usd(self) -> float:
        """US dollars booked on the current UTC day, over all jobs."""
        with self._journal.transaction() as connection:
            return float(connection.execute(_SPENT_ON, self._today()).fetchone()[0])

    def reserve(self, job_id: str, *, wanted_usd: float | None, cap_usd: float) -> float:
        """Set aside for a job what it wants (None: all there is) of what the day has left; how much that is.

        A reservation the job had before is replaced.
        """
        with self._journal.transaction() as connection:
            spent, unconfirmed = connection.execute(_SPENT_ON, self._today()).fetchone()
            (reserved,) = connection.execute(
                "SELECT COALESCE(SUM(usd), 0.0) FROM reservations WHERE job <> ?", (job_id,)
            ).fetchone()
            left = cap_usd - spent - unconfirmed - reserved
            granted = left if wanted_usd is None else min(wanted_usd, left)
            granted = granted if granted > LEAST_USD else 0.0
            connection.execute("INSERT OR REPLACE INTO reservations (job, usd) VALUES (?, ?)", (job_id, granted))
        return granted

    def reserved(self) -> dict[str, float]:
        """US dollars still set aside, by job."""
        with self._journal.transaction() as connection:
            return dict(connection.execute("SELECT job, usd FROM reservations WHERE usd > 0.0").fetchall())

    def payers(self) -> set[str]:
        """All for whom something was set aside, be it nothing."""
        with self._journal.transaction() as connection:
            return {payer for (payer,) in connection.execute("SELECT job FROM reservations")}

    def release_finished(self) -> None:
        """Give back what jobs and predictions hold that have ended: a kill came between their end and this. What asks
        beside them has ended with its daemon."""
        with self._journal.transaction() as connection:
            unfinished = (
                f"SELECT id FROM jobs WHERE {UNFINISHED} "  # noqa: S608 - a constant of ours
                "UNION SELECT id FROM predictions WHERE state = 'claimed'"
            )
            connection.execute(f"DELETE FROM reservations WHERE job NOT IN ({unfinished})")  # noqa: S608

    def release(self, job_id: str) -> None:
        """Give back what a job did not spend: none of its processes runs any more."""
        with self._journal.transaction() as connection:
            connection.execute("DELETE FROM reservations WHERE job = ?", (job_id,))


def _take_back_unconfirmed(connection: sqlite3.Connection, job_id: str, usd: float) -> None:
    """Take unconfirmed money back, off the job's last days first."""
    query = "SELECT day, unconfirmed_usd FROM spend WHERE job = ? AND unconfirmed_usd > 0.0 ORDER BY day DESC"
    for on, unconfirmed_usd in connection.execute(query, (job_id,)).fetchall():
        part = min(usd, unconfirmed_usd)
        connection.execute(
            "UPDATE spend SET unconfirmed_usd = unconfirmed_usd - ? WHERE job = ? AND day = ?", (part, job_id, on)
        )
        usd -= part


def daily_spend_by_bills(answers: Path, now: float) -> list[tuple[str, str, float, float]]:
    """The day's spend as the answer store's bills tell it, for a journal that lost it: (day, job, usd, unconfirmed usd)
    of every job that was billed today, all it was ever billed: too much rather than too little. Empty where there is no
    answer store, or none that can be read."""
    if not answers.is_file():
        return []
    try:
        with sqlite3.connect(f"{answers.absolute().as_uri()}?mode=ro", uri=True) as connection:
            rows = connection.execute(
                "SELECT job, usd, unconfirmed_usd, updated_at FROM bills "
                "UNION ALL SELECT job, 0.0, usd, opened_at FROM open_calls"
            ).fetchall()
        connection.close()
    except sqlite3.DatabaseError:
        return []
    today = day(now)
    found: dict[str, tuple[float, float]] = {}
    for job, usd, lost, at in rows:
        if at is not None and day(at) == today:
            known = found.get(job, (0.0, 0.0))
            found[job] = (known[0] + usd, known[1] + lost)
    return [(today, job, usd, lost) for job, (usd, lost) in found.items()]
