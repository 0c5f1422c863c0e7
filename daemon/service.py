"""The service: one loop that looks, takes, starts and waits; everything else is a task beside it.

Files are the truth and events are hints: every turn of the loop looks at the folders anew, whatever woke it.
"""

from __future__ import annotations

import asyncio
import os
import signal

import anyio
import anyio.abc
import anyio.to_thread
import structlog

from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import ChangedFileError
from daemon.inbox.intake import Intake
from daemon.inbox.pairing import Pair
from daemon.inbox.scanner import Drop, Scan, Scanner
from daemon.inbox.stability import Sighting
from daemon.inbox.watcher import Watcher
from daemon.jobs.endings import Endings
from daemon.jobs.job import Job
from daemon.jobs.journal import Journal
from daemon.jobs.recovery import Recovery
from daemon.jobs.requests import Requests
from daemon.jobs.runner import Runner
from daemon.jobs.schedule import next_jobs, wakes_at
from daemon.jobs.verdict import exit_code
from daemon.notify import Notifier
from daemon.processes.predict_lane import PredictLane
from daemon.processes.protocol import Failure

_log = structlog.get_logger(__name__)

REQUEST_SECONDS = 2.0
"""How soon a `cancel` or `retry` from the command line is noticed."""
SETTLE_SECONDS = 0.2
"""Least time between two looks: a file that is being copied wakes us with every block."""
HEARTBEAT_SECONDS = 10.0


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
        intake: Intake,
        endings: Endings,
        runner: Runner,
        recovery: Recovery,
        requests: Requests,
        lane: PredictLane,
        notifier: Notifier,
    ) -> None:
        self._settings, self._once = settings, once
        self._journal, self._clock = journal, time
        self._scanner, self._watcher = scanner, watcher
        self._intake, self._endings, self._runner = intake, endings, runner
        self._recovery, self._requests, self._lane = recovery, requests, lane
        self._notifier = notifier
        self._running: dict[str, anyio.Event] = {}
        self._turns: dict[str, float] = {}
        self._untakeable: dict[str, Sighting] = {}
        self._reported: set[tuple[str, str]] = set()
        self._stopping = False
        self._flag = anyio.Event()
        self.outcomes: dict[str, Job] = {}
        """Jobs whose run ended while this service ran, as they then stood."""
        self.last_scan: Scan | None = None

    async def run(self) -> None:
        """Serve. Returns after a stop or, `once`, when the work is done; raises only for faults of our own."""
        loop = asyncio.get_running_loop()
        self._watcher.start(lambda: loop.call_soon_threadsafe(self._wake))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._obey_signals, tasks.cancel_scope)
                tasks.start_soon(self._beat)
                await anyio.to_thread.run_sync(self._recovery.run)
                self._lane.recover()
                tasks.start_soon(self._lane.run, self._wake)
                self._notifier.ready()
                await self._turn_until_over(tasks)
                tasks.cancel_scope.cancel()
        finally:
            self._notifier.stopping()
            self._watcher.stop()

    async def _turn_until_over(self, tasks: anyio.abc.TaskGroup) -> None:
        while True:
            self._flag = anyio.Event()
            if not self._stopping:
                for stop in await anyio.to_thread.run_sync(self._requests.obey, dict(self._running)):
                    stop.set()
            scan = await anyio.to_thread.run_sync(self._scanner.scan, self._clock.steady())
            self.last_scan = scan
            self._watcher.follow(scan.folders)
            self._report_waiting(scan)
            changed = False if self._stopping else await self._take(scan)
            if not self._stopping:
                self._start_jobs(tasks)
            self._notifier.status(f"{len(self._running)} running, {len(scan.waiting)} files waiting")
            if self._is_over(scan, changed=changed):
                return
            await self._rest(scan, changed=changed)

    def _wake(self) -> None:
        self._flag.set()

    async def _take(self, scan: Scan) -> bool:
        """Claim what is ready; whether something moved on meanwhile and must be looked at again soon."""
        changed = False
        ready: list[Pair | Drop] = [*scan.pairs.ready, *scan.drops]
        for entry in ready:
            name, sighting = _identity(entry, scan)
            if self._untakeable.get(name) == sighting:
                continue
            try:
                await self._take_one(entry, scan)
                self._untakeable.pop(name, None)
            except ChangedFileError as problem:
                _log.info("a file is still changing", problem=str(problem))
                changed = True
            except FileNotFoundError:
                changed = True  # taken away again: the next look will not find it
            except OSError as problem:
                self._untakeable[name] = sighting
                _log.error("a file cannot be taken; it is left alone until it changes", file=name, problem=str(problem))
        return changed

    async def _take_one(self, entry: Pair | Drop, scan: Scan) -> None:
        if isinstance(entry, Drop):
            self._lane.submit(await anyio.to_thread.run_sync(self._lane.claim, entry))
            return
        job, error = await anyio.to_thread.run_sync(self._intake.claim, entry, scan.observations)
        _log.info("a job was claimed", job=job.id, csv=job.csv_name, spec=job.spec_name)
        if error is not None:
            _log.error("a spec cannot be used", job=job.id, problem=str(error))
            failed = await anyio.to_thread.run_sync(self._endings.fail, job, Failure.of(error))
            self.outcomes[job.id] = failed

    def _start_jobs(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in self._due_jobs():
            self._running[job.id] = anyio.Event()
            self._turns[job.name] = self._clock.wall()
            tasks.start_soon(self._run_job, job)

    def _due_jobs(self) -> list[Job]:
        return next_jobs(
            self._journal.unfinished(),
            running=self._running.keys(),
            parallel=self._settings.jobs.parallel,
            last_started=self._turns,
            now=self._clock.wall(),
        )

    async def _run_job(self, job: Job) -> None:
        stop = self._running[job.id]
        try:
            ended = await self._runner.run(job, stop, is_cancelled=lambda: self._requests.is_cancelled(job.id))
            self.outcomes[job.id] = ended
        finally:
            del self._running[job.id]
            self._wake()

    def _is_over(self, scan: Scan, *, changed: bool) -> bool:
        if self._running or self._flag.is_set():
            return False
        if self._stopping:
            return True
        nothing_to_come = scan.next_ready_at is None and not changed and not self._due_jobs()
        return self._once and nothing_to_come and not self._lane.pending

    async def _rest(self, scan: Scan, *, changed: bool) -> None:
        """Until something happens, something becomes ready, or it is time to look anyway."""
        now = self._clock.steady()
        delays = [self._settings.watch.rescan_seconds]
        delays += [scan.next_ready_at - now] if scan.next_ready_at is not None else []
        delays += [self._settings.watch.stability_seconds] if changed else []
        paused_until = wakes_at(self._journal.unfinished())
        delays += [paused_until - self._clock.wall()] if paused_until is not None else []
        end = now + max(SETTLE_SECONDS, min(delays))
        await anyio.sleep(SETTLE_SECONDS)
        while not self._flag.is_set() and (left := end - self._clock.steady()) > 0:
            with anyio.move_on_after(min(left, REQUEST_SECONDS)):
                await self._flag.wait()
            if any(not self._is_told(job) for job in self._journal.requests()):
                return

    def _is_told(self, job: Job) -> bool:
        stop = self._running.get(job.id)
        return stop is not None and stop.is_set()

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
                    _log.info("SIGHUP changes nothing: restart the service to read freeal.yaml again")
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
        self._wake()

    async def _beat(self) -> None:
        """Shows that the event loop turns: to systemd, and to `status`."""
        while True:
            self._journal.beat(os.getpid())
            self._notifier.alive()
            await anyio.sleep(min(self._notifier.heartbeat_seconds or HEARTBEAT_SECONDS, HEARTBEAT_SECONDS))

    def exit_code(self, failed_predictions: int) -> int:
        """What the process ends with: see `verdict.exit_code`; 0 for a service that was told to stop."""
        if self._stopping and not self._once:
            return 0
        failures = failed_predictions + len(self._untakeable)
        return exit_code(self.outcomes.values(), other_failures=failures)


def _identity(entry: Pair | Drop, scan: Scan) -> tuple[str, Sighting]:
    if isinstance(entry, Drop):
        return f"{entry.model}/predict/{entry.name}", entry.sighting
    return entry.csv, scan.observations[entry.csv].sighting
