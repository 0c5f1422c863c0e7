"""The service: one loop that looks, takes, starts and waits; everything else is a task beside it.

Files are the truth and events are hints: every turn of the loop looks at the folders anew, whatever woke it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.host.systemd_notify import Notifier
from daemon.inbox.claim_pair import Intake
from daemon.inbox.file_events import Watcher, WatchState
from daemon.inbox.inbox_scan import Scan, Scanner
from daemon.inbox.missing_spec_note import Notes
from daemon.inbox.pairing import Waiting
from daemon.jobs.cancel_and_retry import Requests, request_go_where_told
from daemon.jobs.exit_code import exit_code
from daemon.jobs.finish_job import Endings
from daemon.jobs.job_notification import JobNotifier
from daemon.jobs.job_runner import Runner
from daemon.journal.job_record import Job
from daemon.journal.journal import Journal
from daemon.predictions.predict_lane import PredictLane
from daemon.recovery.restart_recovery import Recovery
from daemon.service.claim_inputs import Claims
from daemon.service.config_reload import Reload
from daemon.service.fault_register import FaultRegister
from daemon.service.guarded_loop import GuardedLoop
from daemon.service.health_report import health_report
from daemon.service.job_tasks import JobTasks
from daemon.service.note_writer import NoteTask
from daemon.service.request_tasks import RequestDesk
from daemon.service.signal_listener import SignalListener
from daemon.service.watchdog_heartbeat import Heart, Pulse
from daemon.terminal.progress_log import View

_log = structlog.get_logger(__name__)

REQUEST_SECONDS = 2.0
"""How soon a `cancel` or `retry` from the command line is noticed."""
SETTLE_SECONDS = 0.05
"""Least time between two looks: a folder of files moved in wakes us with every file."""


class Service:
    """Runs until it is told to stop or, `once`, until nothing more can become ready."""

    def __init__(
        self,
        *,
        settings: Settings,
        once: bool,
        journal: Journal,
        time: Clock,
        scanner: Scanner,
        watcher: Watcher,
        notes: Notes,
        intake: Intake,
        endings: Endings,
        runner: Runner,
        recovery: Recovery,
        requests: Requests,
        lane: PredictLane,
        notifier: Notifier,
        told: JobNotifier,
        view: View,
        reload: Reload,
        check_lock: Callable[[], None],
    ) -> None:
        """`check_lock` raises `StateLostError` once the state folder is no longer the one that is held."""
        self._settings, self._once = settings, once
        self._journal, self._clock = journal, time
        self._scanner, self._watcher, self._notes = scanner, watcher, notes
        self._intake, self._runner, self._check_lock = intake, runner, check_lock
        self._recovery, self._requests, self._lane = recovery, requests, lane
        self._notifier, self._endings, self._told = notifier, endings, told
        self.faults = FaultRegister()
        self._note_task = NoteTask(notes, clock=time, faults=self.faults)
        self._desk = RequestDesk(
            journal=journal,
            requests=requests,
            faults=self.faults,
            clock=time,
            wake=self._wake,
            announce=told.announce_job,
        )
        self._jobs = JobTasks(
            settings,
            runner=runner,
            requests=requests,
            journal=journal,
            faults=self.faults,
            clock=time,
            wake=self._wake,
            announce=told.announce_job,
            keeps_outcomes=once,
        )
        self._claims = Claims(intake=intake, endings=endings, lane=lane, clock=time, on_failed=self._jobs.note_end)
        self._pulse = Pulse(time)
        self._heart = Heart(journal, notifier, self._pulse)
        self._view, self._reload = view, reload
        self._reported: set[tuple[str, str]] = set()
        self._stopping = False
        self._flag = anyio.Event()
        self._loop = GuardedLoop(faults=self.faults, once=once)
        self.last_scan: Scan | None = None
        self.scanned_at: float | None = None
        """When that was, in steady seconds."""

    async def run(self, *beside: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Serve. Returns after a stop or, `once`, when the work is done; raises only for faults of our own.

        What is to run `beside` it begins once the past is recovered, and is cancelled at the end.
        """
        self._watcher.start(self._wake)
        self._runner.lanes.listen(self._wake)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._signal_listener().listen_to_signals, tasks.cancel_scope)
                tasks.start_soon(self._heart.beat, self._service_health)
                past = (self._recovery.run, self._intake.recover_claims, self._lane.recover)
                if await self._loop.start_guarded(past, self._notifier, is_stopping=lambda: self._stopping):
                    tasks.start_soon(self._lane.run, self._wake)
                    tasks.start_soon(self._note_task.run)
                    tasks.start_soon(self._told.run, self._wake)
                    for task in beside:
                        tasks.start_soon(self._run_beside, task)
                    self._notifier.ready()
                    turn = functools.partial(self._service_turn, tasks)
                    await self._loop.turn_until_over(turn, may_end=lambda: self._stopping and not self._jobs.running)
                tasks.cancel_scope.cancel()
        finally:
            self._notifier.stopping()
            self._watcher.stop()

    async def _run_beside(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The live page must not take the service with it; it is had again with a restart."""
        with Guard("the live page") as guard:
            await task()
        if guard.fault is not None:
            _log.error("the live page has ended; the service goes on", problem=str(guard.fault.error))
            self.faults.note_fault("the live page has ended, restart the service to have it again", guard.fault)

    async def _service_turn(self, tasks: anyio.abc.TaskGroup) -> bool:
        """Look, take, start, rest; whether everything is over instead of the rest."""
        self._flag = anyio.Event()
        self._check_lock()
        self._pulse.step("obeying requests")
        if not self._stopping:
            await self._desk.start_requests(tasks, self._jobs.running)
        self._pulse.step("looking at the folders")
        scan = await anyio.to_thread.run_sync(self._scanner.scan, self._clock.steady())
        self.last_scan, self.scanned_at = scan, self._clock.steady()
        self._watcher.follow_folders(scan.folders)
        if self._once:
            await self._note_task.write_notes(scan)
        else:
            self._note_task.look(scan)
        self._report_waiting(scan)
        self._pulse.step("taking files")
        changed = await self._claims.claim_ready(scan, goes_on=self._goes_on)
        await anyio.to_thread.run_sync(request_go_where_told, self._jobs.unfinished(), self._journal, self._settings)
        if not self._stopping:
            self._jobs.start_due_jobs(tasks, busy=self._desk.under_way)
        waiting = len(scan.waiting) + len(self._claims.refusals)
        self._view.standing(running=len(self._jobs.running), waiting=waiting)
        self._notifier.status(f"{len(self._jobs.running)} running, {waiting} files waiting")
        if self._is_service_over(scan, changed=changed):
            return True
        await self._rest_until_next_turn(scan, changed=changed)
        return False

    def _signal_listener(self) -> SignalListener:
        return SignalListener(
            self._reload,
            notifier=self._notifier,
            faults=self.faults,
            settings=lambda: self._settings,
            adopt=self._adopt_settings,
            stop=self._stop_service,
        )

    def _wake(self) -> None:
        self._flag.set()
        self._loop.wake()

    def _goes_on(self) -> bool:
        self._pulse.step("taking files")
        return not self._stopping

    def _is_service_over(self, scan: Scan, *, changed: bool) -> bool:
        if self._jobs.running or self._lane.is_working or self._told.is_busy or self._flag.is_set():
            return False
        if self._desk.under_way and not self._stopping:
            return False
        if self._stopping:
            return True
        if self._claims.has_more:
            return False
        due = self._jobs.due_jobs(busy=())
        nothing_to_come = scan.next_ready_at is None and not changed and not due
        return self._once and nothing_to_come and not self._lane.pending

    async def _rest_until_next_turn(self, scan: Scan, *, changed: bool) -> None:
        """Until something happens, something becomes ready, or it is time to look anyway."""
        now = self._clock.steady()
        delays = [self._watcher.state.rescan_seconds]
        refusals = self._claims.refusals
        delays += [0.0] if self._claims.has_more else []
        delays += [refusals.next_at - now] if refusals.next_at is not None else []
        delays += [scan.next_ready_at - now] if scan.next_ready_at is not None else []
        delays += [self._settings.watch.stability_seconds] if changed else []
        next_wake_seconds = self._jobs.wakes.next_in_seconds()
        delays += [next_wake_seconds] if next_wake_seconds is not None else []
        end = now + max(SETTLE_SECONDS, min(delays))
        await anyio.sleep(SETTLE_SECONDS)
        while not self._flag.is_set() and (left := end - self._clock.steady()) > 0:
            self._pulse.step("at rest")
            with anyio.move_on_after(min(left, REQUEST_SECONDS)):
                await self._flag.wait()
            if not self._stopping and self._desk.has_new_requests(self._jobs.running):
                return

    @property
    def outcomes(self) -> dict[str, Job]:
        """With `once`, the jobs whose run ended, as they then stood."""
        return self._jobs.outcomes

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._settings

    @property
    def watch_state(self) -> WatchState:
        """How new files are noticed just now."""
        return self._watcher.snapshot()

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Every file that waits and every one that could not be taken, with the reason."""
        return (
            (self.last_scan.waiting if self.last_scan else ()) + self._claims.refusals.waiting() + self._lane.waiting()
        )

    def _report_waiting(self, scan: Scan) -> None:
        """One line per file and reason, not one per look."""
        current = {(entry.name, entry.reason) for entry in scan.waiting if entry.until is None}
        for name, reason in sorted(current - self._reported):
            _log.info("a file waits", file=name, reason=reason)
        self._reported = current

    def _stop_service(self) -> bool:
        """Begin with the end; whether it had begun before."""
        if self._stopping:
            return True
        self._stopping = True
        self._notifier.stopping()
        self._jobs.stop()
        self._lane.stop()
        self._wake()
        return False

    def _adopt_settings(self, settings: Settings) -> None:
        self._settings = settings
        parts = (self._scanner, self._watcher, self._notes, self._runner, self._lane, self._endings, self._jobs)
        for part in (*parts, self._told):
            part.adopt(settings)
        self._wake()

    def _service_health(self) -> dict[str, Any]:
        """What `status` cannot see from outside."""
        age = None if self.scanned_at is None else round(self._clock.steady() - self.scanned_at, 1)
        return {"scan_age_seconds": age, "stopping": self._stopping} | health_report(
            watch=self._watcher.snapshot(),
            lanes=self._runner.lanes,
            predictions_waiting=self._lane.pending,
            refused=(*self._claims.refusals.waiting(), *self._lane.waiting()),
            faults=self.faults,
            requests=self._desk.under_way,
        )

    def exit_code(self, failed_predictions: int) -> int:
        """What the process ends with: see `exit_code`; 0 for a service that was told to stop."""
        if self._stopping and not self._once:
            return 0
        failures = failed_predictions + len(self._claims.refusals) + self._lane.resting + self._desk.waiting
        return exit_code(self._jobs.outcomes.values(), other_failures=failures)
