"""What a job may spend in its next run: its own cap, the day's, and what was paid that nobody told us of."""

from __future__ import annotations

import dataclasses

import anyio
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.errors import ResourceError
from daemon.host import clock
from daemon.host.clock import Clock
from daemon.journal.job_record import Job, Pause
from daemon.journal.journal import Journal
from daemon.limits import unreported_spend
from daemon.limits.daily_spend import Purse
from freeal.errors import FreealError
from freeal.spec.job_spec import Spec
from freeal.types import Bill

_log = structlog.get_logger(__name__)

RESERVED_SECONDS = 1.0
LEFTOVER_PAUSE_SECONDS = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """Leave to run. `budget_usd` caps the job with all its runs (None: no cap), of which `billed` is spent."""

    budget_usd: float | None
    billed: Bill


class Allowances:
    """Grants them, and takes back what was not used."""

    def __init__(self, settings: Settings, *, journal: Journal, purse: Purse, time: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._purse = purse
        self._clock = time
        self._running: set[str] = set()

    def adopt(self, settings: Settings) -> None:
        """New caps, for what is granted from now on."""
        self._settings = settings

    async def grant_budget(self, job: Job, spec: Spec, stop: anyio.Event) -> Allowance | Pause:
        """What `job` may spend now. What earlier runs of it spent counts against its cap, what all jobs spent and may
        still spend against the day's.

        Where jobs that run have reserved all that is left of the day, wait for them: they seldom use it up.
        """
        billed = await anyio.to_thread.run_sync(self._book_unreported, job)
        job_cap = spec.llm_settings(self._settings.llm).budget_usd
        spent_usd = self._journal.job(job.id).usd + billed.unconfirmed_usd
        left_of_job = None if job_cap is None else max(0.0, job_cap - spent_usd)
        known_usd = billed.usd + billed.unconfirmed_usd  # what the job's own ledger begins with
        daily = self._settings.llm.daily_budget_usd
        if daily is None:
            return Allowance(None if left_of_job is None else known_usd + left_of_job, billed)
        while True:
            granted = self._purse.reserve(job.id, wanted_usd=left_of_job, cap_usd=daily)
            if granted > 0.0 or left_of_job == 0.0:
                self._running.add(job.id)
                return Allowance(known_usd + granted, billed)
            if stop.is_set() or not self._running & self._purse.reserved().keys():
                return self._pause_for_budget()
            await anyio.sleep(RESERVED_SECONDS)

    def take_budget_back(self, job_id: str) -> None:
        """Give back what is left of a job's budget: its run is over and its process gone."""
        self._running.discard(job_id)
        try:
            self._purse.release(job_id)
        except ResourceError as problem:  # set aside until its next run asks anew
            _log.warning("a job's money cannot be given back yet", job=job_id, problem=str(problem))

    def _pause_for_budget(self) -> Pause:
        now = self._clock.wall()
        if self._purse.reserved():
            reason = "what is left of llm.daily_budget_usd is reserved for a job whose process has not ended"
            return Pause(reason, now + LEFTOVER_PAUSE_SECONDS, at_budget=True, is_attempt=False)
        return Pause("llm.daily_budget_usd is spent", clock.next_day(now), at_budget=True, is_attempt=False)

    async def book_ended_run(self, job: Job) -> None:
        """Book what the run that has just ended, however it did, was billed and did not report."""
        try:
            await anyio.to_thread.run_sync(self._book_unreported, job)
        except (OSError, FreealError) as problem:  # booked by its next run, or the daemon's next start
            _log.warning("what a job was billed cannot be looked up yet", job=job.id, problem=str(problem))

    def _book_unreported(self, job: Job) -> Bill:
        return unreported_spend.book_unreported(
            job.id, self._settings.answers, journal=self._journal, purse=self._purse
        )
