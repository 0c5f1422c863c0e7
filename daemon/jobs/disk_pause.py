"""Jobs that a disk keeps from going on: paused with the reason, in memory where not even that can be written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import structlog

from daemon.errors import DiskError
from daemon.host import disk_errors
from daemon.host.clock import Clock
from daemon.jobs.job_completion import PUBLISHING
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal

_log = structlog.get_logger(__name__)


class Standstill:
    """Pauses jobs, and remembers the pauses the journal could not take."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._unwritten: dict[str, Job] = {}

    def pause(self, job_id: str, trouble: DiskError) -> Job:
        """The job, paused for a while; where its run was over, only the publishing is left for later."""
        job = self._journal.job(job_id)
        changes: dict[str, Any] = {"reason": str(trouble), "until": self._clock.wall() + disk_errors.RETRY_SECONDS}
        partial = job.partial and job.stage == PUBLISHING
        _log.warning("a job waits for a disk", job=job_id, problem=str(trouble))
        try:
            self._unwritten.pop(job_id, None)
            # without attempts: minutes on a full disk are no reason to give up on a language model later
            return self._journal.move(job_id, State.PAUSED, partial=partial, attempts=0, **changes)
        except DiskError:
            paused = dataclasses.replace(job, state=State.PAUSED, partial=partial, **changes)
            self._unwritten[job_id] = paused
            return paused

    def seen_in(self, jobs: Iterable[Job]) -> list[Job]:
        """Jobs as the journal has them, with the pauses that it does not know."""
        now = self._clock.wall()
        self._unwritten = {id_: job for id_, job in self._unwritten.items() if job.until is None or job.until > now}
        return [self._unwritten.get(job.id, job) for job in jobs]
