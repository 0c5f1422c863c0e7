"""The jobs that run, each a task of its own: which start now, what stops them, how they ended."""

from __future__ import annotations

from collections.abc import Callable, Collection

import anyio
import anyio.abc

from daemon.config import Settings
from daemon.errors import ResourceError
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.jobs.cancel_and_retry import CANCEL, Requests
from daemon.jobs.job_runner import Runner
from daemon.jobs.schedule import Wakes, next_jobs
from daemon.journal.job_record import Job
from daemon.journal.journal import Journal
from daemon.service.fault_register import FaultRegister


class JobTasks:
    """Starts them when it is their turn. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        runner: Runner,
        requests: Requests,
        journal: Journal,
        faults: FaultRegister,
        clock: Clock,
        wake: Callable[[], None],
        announce: Callable[[Job], None],
        keeps_outcomes: bool,
    ) -> None:
        """`announce` is told of each job whose run ended. `keeps_outcomes`: for a run that tells them at its end; a
        service would gather them for years."""
        self._settings = settings
        self._runner, self._requests, self._journal = runner, requests, journal
        self._faults, self._clock, self._wake = faults, clock, wake
        self._announce = announce
        self._keeps_outcomes = keeps_outcomes
        self._turns: dict[str, float] = {}
        self.wakes = Wakes(clock)
        self.running: dict[str, anyio.Event] = {}
        """Job id -> what stops it."""
        self.outcomes: dict[str, Job] = {}
        """Jobs whose run ended, as they then stood."""

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def unfinished(self) -> list[Job]:
        """Those that are neither done, failed nor cancelled, as they stand."""
        return self._runner.standstill.seen_in(self._journal.unfinished())

    def due_jobs(self, *, busy: Collection[str]) -> list[Job]:
        """Those to start now, as they stand now: a run that has ended since an earlier look would seem to have to go
        on. With the `busy` ones something else is done; one that is to be cancelled, and cannot be just now, must not
        spend anything meanwhile."""
        unfinished = self.unfinished()
        self.wakes.look_at_pauses(unfinished)
        return next_jobs(
            [job for job in unfinished if job.id in self.running or not (job.id in busy or job.request == CANCEL)],
            running=self.running.keys(),
            idle=self._runner.lanes.idle,
            parallel=self._settings.jobs.parallel,
            last_started=self._turns,
            is_due=self.wakes.is_due,
        )

    def start_due_jobs(self, tasks: anyio.abc.TaskGroup, *, busy: Collection[str]) -> None:
        """Start those whose turn it is."""
        for job in self.due_jobs(busy=busy):
            self.running[job.id] = anyio.Event()
            self._turns[job.name] = self._clock.steady()
            tasks.start_soon(self._run_job_task, job)

    def stop(self) -> None:
        """Have all of them come to an end where they can be resumed."""
        for stop in self.running.values():
            stop.set()

    def note_end(self, job: Job) -> None:
        """A job's run is over, or it never had one."""
        if self._keeps_outcomes:
            self.outcomes[job.id] = job
        self._announce(job)

    async def _run_job_task(self, job: Job) -> None:
        stop = self.running[job.id]
        try:
            with Guard("a job", job=job.id) as guard:
                ended = await self._runner.run(job, stop, is_cancelled=lambda: self._requests.is_cancelled(job.id))
                self.note_end(ended)
            self._faults.settle_fault(f"job {job.id}", guard.fault)
            if guard.fault is not None:  # not even its failure could be dealt with
                self.note_end(self._runner.standstill.pause_for_resource(job, ResourceError(str(guard.fault.error))))
        finally:
            del self.running[job.id]
            self._wake()
