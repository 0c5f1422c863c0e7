"""Money for what asks a language model and is no job: proposals about a version, rows of a prediction.

It counts against the same day. What is set aside for it stands in the journal while it is under way, so that a restart
knows what may have been billed and was not reported.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread

from daemon.host.clock import Clock
from daemon.journal.journal import Journal
from daemon.limits.daily_spend import LEAST_USD, Purse
from freeal.errors import BudgetReachedError, Where
from freeal.llm.store.answer_store import SqliteStore
from freeal.types import Bill


class SpendBesideJobs:
    """Grants it and books it, by `payer`: the name under which the answer store keeps the bill. Its methods block on
    the disk, but for `leave_to_spend`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._purse = Purse(journal, clock)

    @contextlib.asynccontextmanager
    async def leave_to_spend(
        self, payer: str, *, answers: Path, cap_usd: float | None, daily_usd: float | None
    ) -> AsyncIterator[float | None]:
        """Leave to ask for the length of the block; what all runs of the payer may come to, None without any cap.

        Raises `BudgetReachedError` where the day has nothing left.
        """
        most = await anyio.to_thread.run_sync(
            lambda: self.grant_beside_jobs(payer, answers=answers, cap_usd=cap_usd, daily_usd=daily_usd)
        )
        try:
            yield most
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: self.settle_beside_jobs(payer, answers=answers))

    def grant_beside_jobs(
        self, payer: str, *, answers: Path, cap_usd: float | None, daily_usd: float | None
    ) -> float | None:
        """Set aside what the payer may still spend; what all its runs together may come to, None without any cap.

        Raises `BudgetReachedError` where it may spend something and the day has nothing left.
        """
        billed = self.book_beside_jobs(payer, answers=answers)
        known_usd = billed.usd + billed.unconfirmed_usd
        wanted = None if cap_usd is None else max(0.0, cap_usd - known_usd)
        if daily_usd is None:
            self._purse.reserve(payer, wanted_usd=wanted or 0.0, cap_usd=float("inf"))
            return cap_usd
        granted = self._purse.reserve(payer, wanted_usd=wanted, cap_usd=daily_usd)
        if granted == 0.0 and wanted != 0.0:
            self._purse.release(payer)
            where = Where(key="llm.daily_budget_usd")
            raise BudgetReachedError("the money of the day is spent, or set aside for jobs", where=where)
        return known_usd + granted

    def settle_beside_jobs(self, payer: str, *, answers: Path) -> None:
        """It is over, if it had begun: book what it was billed, give back what it did not spend."""
        if payer in self._purse.payers():
            self.book_beside_jobs(payer, answers=answers)
            self._purse.release(payer)

    def book_beside_jobs(self, payer: str, *, answers: Path) -> Bill:
        """Bring the books to what the answer store says that this payer, which is no job, was billed; that."""
        if not answers.exists():
            return Bill()
        with contextlib.closing(SqliteStore(answers, job=payer)) as store:
            billed = store.billed()
        missing = billed.usd - self._purse.spent_by_usd(payer)
        if missing > LEAST_USD:
            self._purse.book_spend(payer, missing)
        self._purse.book_unconfirmed(payer, billed.unconfirmed_usd)
        return billed

    def book_all_beside_jobs(self, answers: Path) -> None:
        """At a start: what was under way at the end of a former daemon."""
        jobs = {job.id for job in self._journal.jobs()}
        for payer in self._purse.payers() - jobs:
            self.book_beside_jobs(payer, answers=answers)
