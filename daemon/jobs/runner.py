"""One job from its turn to its end: the process that works, and what its answer leads to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from daemon import clock
from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import ChildError
from daemon.inbox.intake import Intake, load_spec
from daemon.jobs import verdict
from daemon.jobs.endings import Endings
from daemon.jobs.job import Job, State
from daemon.jobs.journal import Journal
from daemon.jobs.progress import ProgressBook
from daemon.jobs.request import allowance, job_key, training_request
from daemon.jobs.workplace import Workplace
from daemon.processes import protocol
from daemon.processes.protocol import Answer, Failure, Result, Stopped
from daemon.processes.supervisor import child, converse
from daemon.view import View
from freeal.errors import FreealError
from freeal.settings import LlmSettings
from freeal.spec import Spec

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.train_job"
GRACE_SECONDS = 25.0
"""From SIGTERM to SIGKILL: time for the calls under way. TimeoutStopSec of the unit is longer."""
DISK_PAUSE_SECONDS = 60.0
RESERVED_SECONDS = 1.0
MEGABYTE = 1_000_000
LOCAL = "local"


class Runner:
    """Runs jobs, each in a process of its own."""

    def __init__(
        self,
        *,
        settings: Settings,
        key_folder: Path,
        journal: Journal,
        intake: Intake,
        endings: Endings,
        time: Clock,
        view: View,
        provider_of: Callable[[LlmSettings], str],
        module: str = MODULE,
    ) -> None:
        self._settings = settings
        self._key_folder = key_folder
        self._journal = journal
        self._intake = intake
        self._endings = endings
        self._clock = time
        self._view = view
        self._provider_of = provider_of
        self._module = module
        self._reserved_usd: dict[str, float] = {}

    async def run(self, job: Job, stop: anyio.Event, *, is_cancelled: Callable[[], bool]) -> Job:
        """Work on a job until it is done, failed, paused or told to stop; the job as it then stands."""
        try:
            job = await self._run(job, stop, is_cancelled)
        except (OSError, FreealError) as error:
            failure = Failure.of(error) if isinstance(error, FreealError) else _os_failure(error)
            job = await self._fail(job, failure)
        finally:
            self._reserved_usd.pop(job.id, None)
        self._view.finished(job)
        return job

    async def _run(self, job: Job, stop: anyio.Event, is_cancelled: Callable[[], bool]) -> Job:
        if job.state is State.PUBLISHING and self._endings.has_output(job):
            return await anyio.to_thread.run_sync(self._endings.publish, job)
        if job.state is not State.CLAIMED:
            job = self._journal.move(job.id, State.CLAIMED, reason="", until=None)
        await anyio.to_thread.run_sync(self._intake.settle, job)
        spec = Spec.model_validate_json(job.spec) if job.spec else self._read_spec(job)
        provider = self._provider_of(spec.llm_settings(self._settings.llm))
        key = job_key(job.csv_sha256, spec, self._settings, provider=provider)
        if done := await anyio.to_thread.run_sync(self._endings.already_done, job, key):
            return done
        if obstacle := self._obstacle():
            return self._pause(job, obstacle)
        limit, by_day = (None, False) if provider == LOCAL else await self._allowance(job, spec, stop)
        if stop.is_set():
            return job
        if by_day and limit == 0.0:
            midnight = clock.next_day(self._clock.wall())
            return self._pause(job, verdict.Pause("llm.daily_budget_usd is spent", midnight, at_budget=True))
        self._reserved_usd[job.id] = limit or 0.0
        await anyio.to_thread.run_sync(self._endings.make_ready, job)
        job = self._journal.move(job.id, State.ANNOTATING, attempts=job.attempts + 1, key=key, partial=False)
        self._view.started(job)
        request = training_request(job, spec, self._settings, key_folder=self._key_folder, allowance_usd=limit)
        answer = await self._converse(job, request, stop)
        return await self._conclude(job, answer, is_cancelled)

    async def _allowance(self, job: Job, spec: Spec, stop: anyio.Event) -> tuple[float | None, bool]:
        """What this run may spend, and whether it is the day that sets the limit.

        Where running jobs have reserved all that is left of the day, wait for them: they seldom use it up.
        """
        while True:
            reserved = sum(self._reserved_usd.values())
            limit, by_day = allowance(
                job, spec, self._settings, spent_today_usd=self._journal.spent_today_usd(), reserved_usd=reserved
            )
            if not (by_day and limit == 0.0) or reserved == 0.0 or stop.is_set():
                return limit, by_day
            await anyio.sleep(RESERVED_SECONDS)

    def _read_spec(self, job: Job) -> Spec:
        """For a claim cut off before its unusable spec was reported: raises that `SpecError` again."""
        spec_path = Workplace(self._settings, job.id).inputs / job.spec_name
        return load_spec(spec_path, csv_name=job.csv_name)[0]

    async def _converse(self, job: Job, request: str, stop: anyio.Event) -> Answer:
        book = ProgressBook(job, journal=self._journal, clock=self._clock, view=self._view, reserved=self._reserved_usd)
        async with child(self._module) as process:
            _log.info("a job runs", job=job.id, pid=process.pid, attempt=job.attempts)
            answer = await converse(
                process,
                request,
                on_event=book.on_event,
                stop=stop,
                timeout_seconds=self._settings.jobs.timeout_hours * 3600,
                grace_seconds=GRACE_SECONDS,
            )
            code = await process.finish()
            tail = process.stderr_tail
        book.flush()
        if answer is None:
            answer = Stopped() if stop.is_set() else Failure.of(process.how_it_died(code))
        if isinstance(answer, Failure) and answer.kind in {protocol.INTERNAL, ChildError.__name__} and tail:
            _log.error("a job's process failed", job=job.id, problem=answer.problem, stderr=tail)
        return answer

    async def _conclude(self, job: Job, answer: Answer, is_cancelled: Callable[[], bool]) -> Job:
        if isinstance(answer, Result):
            partial = bool(answer.content.get("budget_reached"))
            job = self._journal.move(job.id, State.PUBLISHING, partial=partial)
            return await anyio.to_thread.run_sync(self._endings.publish, job)
        if is_cancelled():
            return await anyio.to_thread.run_sync(self._endings.cancel, job)
        if isinstance(answer, Stopped):
            return self._journal.move(job.id, State.CLAIMED)
        if pause := verdict.judge(answer, attempts=job.attempts, now=self._clock.wall()):
            return self._pause(job, pause)
        return await self._fail(job, answer)

    def _pause(self, job: Job, pause: verdict.Pause) -> Job:
        _log.warning("a job is paused", job=job.id, reason=pause.reason, until=clock.iso(pause.until))
        return self._journal.move(job.id, State.PAUSED, reason=pause.reason, until=pause.until, partial=pause.at_budget)

    async def _fail(self, job: Job, failure: Failure) -> Job:
        return await anyio.to_thread.run_sync(self._endings.fail, job, failure)

    def _obstacle(self) -> verdict.Pause | None:
        least = self._settings.jobs.min_free_disk_mb * MEGABYTE
        for folder in (self._settings.state, self._settings.models):
            free = shutil.disk_usage(folder).free
            if free < least:
                reason = f"only {free // MEGABYTE} MB free in {folder} (jobs.min_free_disk_mb)"
                return verdict.Pause(reason, self._clock.wall() + DISK_PAUSE_SECONDS)
        return None


def _os_failure(error: OSError) -> Failure:
    where: dict[str, str | int] = {"file": str(error.filename)} if error.filename else {}
    return Failure(type(error).__name__, error.strerror or str(error), where, "check the disk and the permissions")
