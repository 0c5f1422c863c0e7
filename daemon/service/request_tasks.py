"""What people ask of jobs, while the service does everything else: each request is a task of its own.

A provider may hang for minutes while a batch is cancelled there; neither the folders nor other requests wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
import anyio.abc
import anyio.to_thread

from daemon.host import disk_errors
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.jobs.cancel_and_retry import CANCEL, Requests
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.service.fault_register import FaultRegister


class RequestDesk:
    """Knows which requests are under way. Lives on the event loop."""

    def __init__(
        self,
        *,
        journal: Journal,
        requests: Requests,
        faults: FaultRegister,
        clock: Clock,
        wake: Callable[[], None],
        announce: Callable[[Job], object],
    ) -> None:
        """`announce` hears of jobs that a request ends."""
        self._journal, self._requests, self._faults = journal, requests, faults
        self._clock, self._wake, self._announce = clock, wake, announce
        self.under_way: set[str] = set()
        """Jobs that must not be started meanwhile."""
        self._again_at: dict[str, float] = {}

    @property
    def waiting(self) -> int:
        """How many could not be carried out yet."""
        return len(self._again_at)

    async def start_requests(self, tasks: anyio.abc.TaskGroup, running: Mapping[str, anyio.Event]) -> None:
        """Begin with what was asked and can be done now; a job that runs and is to be cancelled is stopped first."""
        asked = await anyio.to_thread.run_sync(self._journal.requests)
        self._again_at = {job.id: self._again_at[job.id] for job in asked if job.id in self._again_at}
        for job in asked:
            if job.request == CANCEL and job.id in running:
                running[job.id].set()
            elif self._is_due(job):
                self.under_way.add(job.id)
                tasks.start_soon(self._run_request_task, job)

    def has_new_requests(self, running: Mapping[str, anyio.Event]) -> bool:
        """Whether something was asked that nobody has begun with."""
        return any(
            not running[job.id].is_set() if job.request == CANCEL and job.id in running else self._is_due(job)
            for job in self._journal.requests()
        )

    def _is_due(self, job: Job) -> bool:
        return job.id not in self.under_way and self._clock.steady() >= self._again_at.get(job.id, float("-inf"))

    async def _run_request_task(self, job: Job) -> None:
        unit = f"{job.request} {job.id}"
        try:
            fault = None
            with Guard("a request", job=job.id) as guard:
                fault = await self._requests.obey_request(job)
                now = await anyio.to_thread.run_sync(self._journal.job, job.id)
                if now.state in {State.FAILED, State.CANCELLED} and (now.state, now.error) != (job.state, job.error):
                    self._announce(now)
            fault = guard.fault or fault
            self._faults.settle_fault(unit, fault)
            if fault is not None:
                self._again_at[job.id] = self._clock.steady() + disk_errors.RETRY_SECONDS
        finally:
            self.under_way.discard(job.id)
            self._wake()
