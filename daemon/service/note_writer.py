"""The notes beside files that wait, written beside the loop: a file's header may take long to read."""

from __future__ import annotations

import functools

import anyio
import anyio.to_thread

from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.inbox.inbox_scan import Scan
from daemon.inbox.missing_spec_note import Notes
from daemon.service.fault_register import FaultRegister

_UNIT = "leaving notes in the inbox"


class NoteTask:
    """Brings the notes in line with the newest look at the inbox. Lives on the event loop."""

    def __init__(self, notes: Notes, *, clock: Clock, faults: FaultRegister) -> None:
        self._notes, self._clock, self._faults = notes, clock, faults
        self._newest: Scan | None = None
        self._more = anyio.Event()

    def look(self, scan: Scan) -> None:
        """Leave a look at the folders to `run`; of several, the newest is dealt with."""
        self._newest = scan
        self._more.set()

    async def run(self) -> None:
        """Write the notes of the newest look, and of each that comes later, until cancelled."""
        while True:
            await self._more.wait()
            self._more = anyio.Event()
            if self._newest is not None:
                await self.write_notes(self._newest)

    async def write_notes(self, scan: Scan) -> None:
        """Bring the notes in line with a look, now."""
        with Guard(_UNIT) as guard:
            update = functools.partial(self._notes.update_notes, scan, self._clock.steady())
            await anyio.to_thread.run_sync(update, abandon_on_cancel=True)
        self._faults.settle_fault(_UNIT, guard.fault)
