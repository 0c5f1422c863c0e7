"""The service: one loop that looks, takes, starts and waits; everything else is a task beside it.

Files are the truth and events are hints: every turn of the loop looks at the folders anew, whatever woke it.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.host.clock import Clock
from daemon.host.systemd_notify import Notifier
from daemon.inbox.claim_pair import Intake
from daemon.inbox.file_events import Watcher, WatchState
from daemon.inbox.folder_scan import Scan, Scanner
from daemon.inbox.missing_spec_note import Notes
from daemon.inbox.pairing import Waiting
from daemon.jobs.cancel_and_retry import Requests
from daemon.jobs.failure_policy import exit_code
from daemon.jobs.job_completion import Endings
from daemon.jobs.job_runner import Runner
from daemon.jobs.schedule import Wakes, next_jobs
from daemon.journal.job_record import Job
from daemon.journal.journal import Journal
from daemon.predictions.predict_lane import PredictLane
from daemon.recovery.restart_recovery import Recovery
from daemon.service.claim_inputs import Claims
from daemon.service.config_reload import Reload
from daemon.service.watchdog_heartbeat import Heart, Pulse
from daemon.terminal.progress_view import View

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
        view: View,
        reload: Reload,
    ) -> None:
        self._settings, self._once = settings, once
        self._journal, self._clock = journal, time
        self._scanner, self._watcher, self._notes = scanner, watcher, notes
        self._intake, self._runner = intake, runner
        self._recovery, self._requests, self._lane = recovery, requests, lane
        self._notifier, self._endings = notifier, endings
        self._running: dict[str, anyio.Event] = {}
        self._turns: dict[str, float] = {}
        self._claims = Claims(intake=intake, endings=endings, lane=lane, clock=time)
        self._wakes = Wakes(time)
        self._pulse = Pulse(time)
        self._heart = Heart(journal, notifier, self._pulse)
        self._view, self._reload = view, reload
        self._reported: set[tuple[str, str]] = set()
        self._stopping = False
        self._flag = anyio.Event()
        self._ended: dict[str, Job] = {}
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
                tasks.start_soon(self._obey_signals, tasks.cancel_scope)
                tasks.start_soon(self._heart.beat, self._health)
                await anyio.to_thread.run_sync(self._recovery.run)
                await anyio.to_thread.run_sync(self._intake.recover)
                self._lane.recover()
                tasks.start_soon(self._lane.run, self._wake)
                for task in beside:
                    tasks.start_soon(task)
                self._notifier.ready()
                await self._turn_until_over(tasks)
                tasks.cancel_scope.cancel()
        finally:
            self._notifier.stopping()
            self._watcher.stop()

    async def _turn_until_over(self, tasks: anyio.abc.TaskGroup) -> None:
        while True:
            self._flag = anyio.Event()
            self._pulse.step("obeying requests")
            if not self._stopping:
                for stop in await anyio.to_thread.run_sync(self._requests.obey, dict(self._running)):
                    stop.set()
            self._pulse.step("looking at the folders")
            scan = await anyio.to_thread.run_sync(self._scanner.scan, self._clock.steady())
            self.last_scan, self.scanned_at = scan, self._clock.steady()
            self._watcher.follow(scan.folders)
            await anyio.to_thread.run_sync(self._notes.update, scan, self._clock.steady())
            self._report_waiting(scan)
            self._pulse.step("taking files")
            changed = await self._claims.take(scan, goes_on=self._goes_on)
            unfinished = self._unfinished()
            self._wakes.look(unfinished)
            if not self._stopping:
                self._start_jobs(tasks, unfinished)
            waiting = len(scan.waiting) + len(self._claims.refusals)
            self._view.standing(running=len(self._running), waiting=waiting)
            self._notifier.status(f"{len(self._running)} running, {waiting} files waiting")
            if self._is_over(scan, changed=changed):
                return
            await self._rest(scan, changed=changed)

    def _wake(self) -> None:
        self._flag.set()

    def _goes_on(self) -> bool:
        self._pulse.step("taking files")
        return not self._stopping

    def _start_jobs(self, tasks: anyio.abc.TaskGroup, unfinished: Sequence[Job]) -> None:
        for job in self._due(unfinished):
            self._running[job.id] = anyio.Event()
            self._turns[job.name] = self._clock.steady()
            tasks.start_soon(self._run_job, job)

    def _unfinished(self) -> list[Job]:
        return self._runner.standstill.seen_in(self._journal.unfinished())

    def _due(self, unfinished: Sequence[Job]) -> list[Job]:
        return next_jobs(
            unfinished,
            running=self._running.keys(),
            idle=self._runner.lanes.idle,
            parallel=self._settings.jobs.parallel,
            last_started=self._turns,
            is_due=self._wakes.is_due,
        )

    async def _run_job(self, job: Job) -> None:
        stop = self._running[job.id]
        try:
            ended = await self._runner.run(job, stop, is_cancelled=lambda: self._requests.is_cancelled(job.id))
            self._ended[job.id] = ended
        finally:
            del self._running[job.id]
            self._wake()

    def _is_over(self, scan: Scan, *, changed: bool) -> bool:
        if self._running or self._lane.is_working or self._flag.is_set():
            return False
        if self._stopping:
            return True
        if self._claims.has_more:
            return False
        nothing_to_come = scan.next_ready_at is None and not changed and not self._due(self._unfinished())
        return self._once and nothing_to_come and not self._lane.pending

    async def _rest(self, scan: Scan, *, changed: bool) -> None:
        """Until something happens, something becomes ready, or it is time to look anyway."""
        now = self._clock.steady()
        delays = [self._watcher.state.rescan_seconds]
        refusals = self._claims.refusals
        delays += [0.0] if self._claims.has_more else []
        delays += [refusals.next_at - now] if refusals.next_at is not None else []
        delays += [scan.next_ready_at - now] if scan.next_ready_at is not None else []
        delays += [self._settings.watch.stability_seconds] if changed else []
        next_wake_seconds = self._wakes.next_in_seconds()
        delays += [next_wake_seconds] if next_wake_seconds is not None else []
        end = now + max(SETTLE_SECONDS, min(delays))
        await anyio.sleep(SETTLE_SECONDS)
        while not self._flag.is_set() and (left := end - self._clock.steady()) > 0:
            self._pulse.step("at rest")
            with anyio.move_on_after(min(left, REQUEST_SECONDS)):
                await self._flag.wait()
            if any(not self._is_told(job) for job in self._journal.requests()):
                return

    def _is_told(self, job: Job) -> bool:
        stop = self._running.get(job.id)
        return stop is not None and stop.is_set()

    @property
    def outcomes(self) -> dict[str, Job]:
        """Jobs whose run ended while this service ran, as they then stood."""
        return self._claims.failed | self._ended

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
        return (self.last_scan.waiting if self.last_scan else ()) + self._claims.refusals.waiting()

    def _report_waiting(self, scan: Scan) -> None:
        """One line per file and reason, not one per look."""
        current = {(entry.name, entry.reason) for entry in scan.waiting if entry.until is None}
        for name, reason in sorted(current - self._reported):
            _log.info("a file waits", file=name, reason=reason)
        self._reported = current

    async def _obey_signals(self, scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if number is signal.SIGHUP:
                    self._notifier.reloading()
                    self._adopt(await anyio.to_thread.run_sync(self._reload, self._settings))
                    self._notifier.ready()
                elif self._stopping:
                    _log.warning("told twice to stop: stopping now")
                    scope.cancel()
                else:
                    _log.info("told to stop", signal=number.name, running=len(self._running))
                    self._stop()

    def _stop(self) -> None:
        self._stopping = True
        self._notifier.stopping()
        for stop in self._running.values():
            stop.set()
        self._lane.stop()
        self._wake()

    def _adopt(self, settings: Settings | None) -> None:
        """Go on with other settings; None: with those that are there."""
        if settings is None:
            return
        self._settings = settings
        for part in (self._scanner, self._watcher, self._notes, self._runner, self._lane, self._endings):
            part.adopt(settings)
        self._wake()

    def _health(self) -> dict[str, Any]:
        """What `status` cannot see from outside."""
        lanes, watch = self._runner.lanes, self._watcher.snapshot()
        age = None if self.scanned_at is None else round(self._clock.steady() - self.scanned_at, 1)
        return {
            "scan_age_seconds": age,
            "stopping": self._stopping,
            "watcher": dataclasses.asdict(watch) | {"in_use": watch.in_use},
            "device": {"holder": lanes.holder, "queue": list(lanes.queue)},
            "batches": sorted(lanes.idle),
            "predictions_waiting": self._lane.pending,
            "refused": [{"file": one.name, "reason": one.reason} for one in self._claims.refusals.waiting()],
        }

    def exit_code(self, failed_predictions: int) -> int:
        """What the process ends with: see `verdict.exit_code`; 0 for a service that was told to stop."""
        if self._stopping and not self._once:
            return 0
        failures = failed_predictions + len(self._claims.refusals) + self._lane.resting
        return exit_code(self.outcomes.values(), other_failures=failures)
