"""Whether the service does its work, and not just its event loop: what systemd's watchdog and `status` are told."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import anyio
import structlog

from daemon.errors import JournalError, ResourceError
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.host.systemd_notify import Notifier
from daemon.journal.journal import Journal

_log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 10.0

STUCK_SECONDS = 300.0
"""Between two steps of the main loop at most: the longest is to take one file, by a copy where it lies on another
disk. At rest a step is two seconds."""


class Pulse:
    """Felt at every step of the main loop, and at every line written into the journal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stepped_at = clock.steady()
        self._step = "starting"
        self._journal_problem: str | None = None

    def step(self, name: str) -> None:
        """The main loop begins with something."""
        self._stepped_at = self._clock.steady()
        self._step = name

    def journal(self, problem: str | None) -> None:
        """The journal took the last heartbeat, or why not."""
        self._journal_problem = problem

    def problem(self) -> str | None:
        """Why the service cannot be called alive; None when it can."""
        stuck_seconds = self._clock.steady() - self._stepped_at
        if stuck_seconds > STUCK_SECONDS:
            return f"the main loop has been {self._step} for {stuck_seconds:.0f} seconds"
        return None if self._journal_problem is None else f"the journal cannot be written: {self._journal_problem}"


class Heart:
    """Beats: into the journal for `status`, to systemd while all is well."""

    def __init__(self, journal: Journal, notifier: Notifier, pulse: Pulse) -> None:
        self._journal, self._notifier, self._pulse = journal, notifier, pulse
        self._complained: str | None = None

    async def beat(self, health: Callable[[], dict[str, Any]]) -> None:
        """Until cancelled. `health` is what `status` cannot see from outside, ready for JSON."""
        seconds = min(self._notifier.heartbeat_seconds or HEARTBEAT_SECONDS, HEARTBEAT_SECONDS)
        while True:
            with Guard("the heartbeat"):
                self._beat_once(health())
            await anyio.sleep(seconds)

    def _beat_once(self, health: dict[str, Any]) -> None:
        try:
            self._journal.beat(os.getpid(), health | {"problem": self._pulse.problem()})
            self._pulse.journal(None)
        except ResourceError as trouble:  # a full disk is waited for: a restart would not mend it
            self._pulse.journal(None)
            _log.debug("the heartbeat cannot be written", problem=str(trouble))
        except JournalError as trouble:
            self._pulse.journal(str(trouble))
        problem = self._pulse.problem()
        if problem is None:
            self._notifier.alive()
        elif problem != self._complained:
            _log.error("the service does not do its work; systemd is no longer told that it does", problem=problem)
        self._complained = problem
