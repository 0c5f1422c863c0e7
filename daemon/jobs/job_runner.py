"""One job from its turn to its end: the process that works, and what its answer leads to."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from pydantic import ValidationError

from daemon.config import Settings
from daemon.errors import ChildError, ResourceError
from daemon.host import clock, disk_errors, free_disk
from daemon.host.clock import Clock
from daemon.host.fault_guard import INTERNAL, Fault, Guard
from daemon.inbox.claim_pair import Intake, load_dropped_spec
from daemon.jobs import failure_policy
from daemon.jobs.correction_request import asks, spec_of_corrected_version
from daemon.jobs.device_turns import Lanes
from daemon.jobs.finish_job import PUBLISHING, Endings
from daemon.jobs.job_key import key_of
from daemon.jobs.job_progress import ProgressBook
from daemon.jobs.resource_pause import Standstill
from daemon.jobs.training_request import training_request
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job, Pause, State
from daemon.journal.journal import Journal
from daemon.journal.work_folder import Workplace
from daemon.limits.daily_spend import Purse
from daemon.limits.job_budget import Allowance, Allowances
from daemon.limits.rate_limit_shares import Shares
from daemon.processes import message_protocol
from daemon.processes.message_protocol import Answer, Failure, Result, Stopped
from daemon.processes.process_supervisor import Child, child, converse
from daemon.terminal.progress_log import View
from freeal.errors import DeviceError
from freeal.events import Event
from freeal.llm.credentials import environment_for
from freeal.settings import LlmSettings
from freeal.spec.job_spec import Spec
from freeal.types import Bill

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.entry_points.train_job"
GRACE_SECONDS = 25.0
"""From SIGTERM to SIGKILL for a job that calls nobody: time to come to where it can be resumed."""
KEEPING_SECONDS = 15.0
"""What a job that calls somebody has beyond `llm.timeout_seconds`: its calls under way are paid for, so their answers
are waited for, however long a call may take, and kept."""
LOCAL = "local"
FREE_RUN = Allowance(None, Bill())


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
        provider_of: Callable[[Sequence[LlmSettings]], str],
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
        self._purse = Purse(journal, time)
        self.standstill = Standstill(journal, time)
        self._shares = Shares()
        self.lanes = Lanes()
        self._allowances = Allowances(settings, journal=journal, purse=self._purse, time=time)

    def adopt(self, settings: Settings) -> None:
        """New settings, for the jobs that start from now on."""
        self._settings = settings
        self._allowances.adopt(settings)

    async def run(self, job: Job, stop: anyio.Event, *, is_cancelled: Callable[[], bool]) -> Job:
        """Work on a job until it is done, failed, paused or told to stop; the job as it then stands."""
        try:
            with Guard("a job", job=job.id) as guard:
                job = await self._run_job(job, stop, is_cancelled)
            if guard.fault is not None:
                job = await self._after_fault_of_run(job, guard.fault)
        finally:
            with Guard("giving money back", job=job.id):
                self._allowances.take_budget_back(job.id)
        with Guard("showing a job's end", job=job.id):
            self._view.finished(job)
        return job

    async def _run_job(self, job: Job, stop: anyio.Event, is_cancelled: Callable[[], bool]) -> Job:
        if ended := await anyio.to_thread.run_sync(self._endings.finish_cut_off, job):
            return ended
        if job.state is not State.CLAIMED:
            job = self._journal.move(job.id, State.CLAIMED, reason="", until=None)
        await anyio.to_thread.run_sync(self._intake.settle_claim, job)
        spec = self._spec_of_job(job)
        provider = self._provider_of(spec.annotators(self._settings.llm)) if asks(job, self._settings) else LOCAL
        key = key_of(job, spec, self._settings, provider=provider)
        if done := await anyio.to_thread.run_sync(self._endings.finish_already_done, job, key):
            return done
        if obstacle := free_disk.lack_of_free_disk(self._settings):
            return self._pause_job(job, Pause(obstacle, self._clock.wall() + disk_errors.RETRY_SECONDS))
        allowance = FREE_RUN if provider == LOCAL else await self._allowances.grant_budget(job, spec, stop)
        if stop.is_set():
            return job
        if isinstance(allowance, Pause):
            return self._pause_job(job, allowance)
        await anyio.to_thread.run_sync(self._endings.clear_half_made_output, job)
        job = self._journal.move(job.id, State.ANNOTATING, attempts=job.attempts + 1, key=key, partial=False)
        cap = allowance.budget_usd
        self._view.started(job, cap_usd=cap)
        request = training_request(job, spec, self._settings, key_folder=self._key_folder, budget_usd=cap)
        answer, setback = await self._run_process(job, request, stop, allowance=allowance, provider=provider)
        if provider != LOCAL:
            await self._allowances.book_ended_run(job)
        again = failure_policy.second_try(setback, setbacks=job.setbacks)
        if again is not None and isinstance(answer, Failure) and not is_cancelled():
            _log.warning("a job is tried once more", job=job.id, problem=answer.problem)
            return self._journal.move(job.id, State.CLAIMED, setbacks=again.setbacks)
        return await self._conclude_run(job, answer, is_cancelled)

    async def _after_fault_of_run(self, job: Job, fault: Fault) -> Job:
        """What a fault of the daemon's own leaves: a pause where the machine is to blame, else a failed job. A job that
        cannot be put aside waits while somebody can mend that, and is closed where it lies when nobody can."""
        if fault.passing is not None:
            return self.standstill.pause_for_resource(job, fault.passing)
        failure = Failure.of_fault(fault)
        with Guard("setting a job aside", job=job.id) as aside:
            return await self._fail(job, failure)
        if aside.fault is not None and aside.fault.is_ours:
            with Guard("closing a job", job=job.id):
                return await anyio.to_thread.run_sync(self._endings.fail_job_in_place, job, failure)
        reason = aside.fault.error if aside.fault is not None else fault.error
        return self.standstill.pause_for_resource(job, ResourceError(f"the failed job cannot be put aside: {reason}"))

    def _spec_of_job(self, job: Job) -> Spec:
        """The checked one of the journal; read anew where there is none, or another version wrote it."""
        try:
            return Spec.model_validate_json(job.spec) if job.spec else self._read_spec_of_job(job)
        except ValidationError:
            return self._read_spec_of_job(job)

    def _read_spec_of_job(self, job: Job) -> Spec:
        """That of the version to correct; for a claim cut off before its unusable spec was reported: raises that
        `SpecError` again."""
        if is_correction(job.id):
            return spec_of_corrected_version(job, self._settings)
        spec_path = Workplace(self._settings, job.id).inputs / job.spec_name
        return load_dropped_spec(spec_path, csv_name=job.csv_name)[0]

    async def _run_process(
        self, job: Job, request: str, stop: anyio.Event, *, allowance: Allowance, provider: str
    ) -> tuple[Answer, failure_policy.Setback | None]:
        book = ProgressBook(
            job,
            journal=self._journal,
            purse=self._purse,
            clock=self._clock,
            view=self._view,
            billed=allowance.billed,
        )

        def on_event(event: Event) -> None:
            self._shares.heed_provider_calls(job.id, event)
            self.lanes.heed_batch_waiting(job.id, event)
            book.on_event(event)

        environment = environment_for(provider, os.environ)
        async with child(self._module, environment=environment) as process:
            _log.info("a job runs", job=job.id, pid=process.pid, attempt=job.attempts)
            with self._shares.job_at_provider(job.id, provider), self.lanes.job_at_device(job.id):
                answer = await converse(
                    process,
                    request,
                    on_event=on_event,
                    stop=stop,
                    silence_seconds=self._settings.jobs.stall_minutes * 60,
                    grace_seconds=grace_seconds(provider, self._settings.llm),
                    on_turn=functools.partial(self.lanes.on_device_turn, job.id),
                    may_be_silent=functools.partial(self.lanes.waits, job.id),
                    meanwhile=functools.partial(self._instruct_process, job, process, provider),
                )
            code = await process.finish_process()
            tail = process.stderr_tail
        book.close()
        setback = _setback_in_answer(answer, is_out_of_memory=process.ran_out_of_memory(code))
        if answer is None:
            answer = Failure.of(process.how_it_died(code))
        if stop.is_set() and setback is not None:
            answer, setback = Stopped(), None
        if isinstance(answer, Failure) and answer.kind in {INTERNAL, ChildError.__name__} and tail:
            _log.error("a job's process failed", job=job.id, problem=answer.problem, stderr=tail)
        return answer, setback

    async def _instruct_process(self, job: Job, process: Child, provider: str) -> None:
        """Hand a job its turns on the device, and its share of the provider's limits where there are any."""

        async def share(part: float) -> None:
            _log.info("a job's share of the rate limits", job=job.id, share=round(part, 3))
            await process.send(message_protocol.encode_down(message_protocol.Share(part)))

        async def grant(turn: message_protocol.Grant) -> None:
            await process.send(message_protocol.encode_down(turn))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.lanes.tell_grants, job.id, grant)
            if provider != LOCAL:
                tasks.start_soon(self._shares.tell_share, job.id, share)

    async def _conclude_run(self, job: Job, answer: Answer, is_cancelled: Callable[[], bool]) -> Job:
        if isinstance(answer, Result):
            partial = bool(answer.content.get("budget_reached"))
            job = self._journal.move(job.id, State.PUBLISHING, partial=partial, stage=PUBLISHING)
            if answer.content.get("is_pilot"):
                return await anyio.to_thread.run_sync(self._endings.show_pilot_to_owner, job)
            return await anyio.to_thread.run_sync(self._endings.publish_job, job)
        if is_cancelled():
            return await self._endings.cancel_job(job)
        if isinstance(answer, Stopped):
            return self._journal.move(job.id, State.CLAIMED)
        if pause := failure_policy.judge_failure(answer, attempts=job.attempts, now=self._clock.wall()):
            return self._pause_job(job, pause)
        return await self._fail(job, answer)

    def _pause_job(self, job: Job, pause: Pause) -> Job:
        """The runner's end of a job that is to run again later: why, and until when it waits."""
        _log.warning("a job is paused", job=job.id, reason=pause.reason, until=clock.iso(pause.until))
        # A run without money was no attempt: after days of asking, the first broken connection must not end the job.
        attempts = job.attempts if pause.is_attempt else 0
        return self._journal.move(
            job.id,
            State.PAUSED,
            reason=pause.reason,
            until=pause.until,
            partial=pause.at_budget,
            attempts=attempts,
        )

    async def _fail(self, job: Job, failure: Failure) -> Job:
        return await anyio.to_thread.run_sync(self._endings.fail_job, job, failure)


def grace_seconds(provider: str, llm: LlmSettings) -> float:
    """How long a job that is told to stop may take before it is killed. Most take a moment: only calls that nobody has
    answered yet are waited for so long."""
    return GRACE_SECONDS if provider == LOCAL else max(GRACE_SECONDS, llm.timeout_seconds + KEEPING_SECONDS)


def _setback_in_answer(answer: Answer | None, *, is_out_of_memory: bool) -> failure_policy.Setback | None:
    """What of an answer is the process's fault; None where the job itself has spoken."""
    if answer is None:
        return failure_policy.Setback.MEMORY if is_out_of_memory else failure_policy.Setback.DIED
    if isinstance(answer, Failure) and answer.kind == ChildError.__name__:
        return failure_policy.Setback.SILENT
    if isinstance(answer, Failure) and answer.kind == DeviceError.__name__:
        return failure_policy.Setback.DEVICE
    return None
