"""Jobs that the machine keeps from going on: paused with the reason, in memory where not even that can be written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import structlog

from daemon.errors import ResourceError
from daemon.host import disk_errors
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.jobs.finish_job import PUBLISHING
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal

_log = structlog.get_logger(__name__)


class Standstill:
    """Pauses jobs, and remembers the pauses the journal could not take."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._unwritten: dict[str, Job] = {}

    def pause_for_resource(self, job: Job, trouble: ResourceError) -> Job:
        """The job, paused for a while; where its run was over, only the publishing is left for later. Never fails for
        want of what `trouble` tells: `job` is as it was last known."""
        changes: dict[str, Any] = {"reason": str(trouble), "until": self._clock.wall() + disk_errors.RETRY_SECONDS}
        _log.warning("a job waits for the machine", job=job.id, problem=str(trouble))
        self._unwritten.pop(job.id, None)
        with Guard("pausing a job", job=job.id) as guard:
            job = self._journal.job(job.id)
            partial = job.partial and job.stage == PUBLISHING
            # without attempts: minutes on a full disk are no reason to give up on a language model later
            paused = self._journal.move(job.id, State.PAUSED, partial=partial, attempts=0, **changes)
        if guard.fault is None:
            return paused
        partial = job.partial and job.stage == PUBLISHING
        paused = self._unwritten[job.id] = dataclasses.replace(job, state=State.PAUSED, partial=partial, **changes)
        return paused

    def seen_in(self, jobs: Iterable[Job]) -> list[Job]:
        """Jobs as the journal has them, with the pauses that it does not know."""
        now = self._clock.wall()
        self._unwritten = {id_: job for id_, job in self._unwritten.items() if job.until is None or job.until > now}
        return [self._unwritten.get(job.id, job) for job in jobs]
