"""Start and turns of the service, each under guard: one that fails is followed by another, not by the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio
import anyio.to_thread
import structlog

from daemon.host.fault_guard import Fault, Guard
from daemon.host.systemd_notify import Notifier
from daemon.service.fault_register import FaultRegister

_log = structlog.get_logger(__name__)

FIRST_SECONDS = 0.1
PASSING_SECONDS = 5.0
FAULT_SECONDS = 30.0
"""Between two tries: at first soon, and at most so long where the machine lacks something, or where it is the
software."""
MOST_FAILED_TURNS = 3
"""With `once`, in a row: somebody waits for the end of that run."""
_START, _TURN = "what was begun before the start", "looking at the folders"


class GuardedLoop:
    """Lives on the event loop."""

    def __init__(self, *, faults: FaultRegister, once: bool) -> None:
        self._faults, self._once = faults, once
        self._flag = anyio.Event()

    def wake(self) -> None:
        """Something has happened: no reason to wait longer."""
        self._flag.set()

    async def start_guarded(
        self, steps: Sequence[Callable[[], None]], notifier: Notifier, *, is_stopping: Callable[[], bool]
    ) -> bool:
        """Bring the past to a state to go on from, and wait for what the machine keeps from it; False: told to stop.

        What else goes wrong with it must not keep the service from its work, at this start and at each one after it.
        The steps block on the disk. Raises what has to be waited for with `once`.
        """
        failures = 0
        for step in steps:
            while not is_stopping():
                with Guard(_START) as guard:
                    await anyio.to_thread.run_sync(step)
                self._faults.settle_fault(_START, guard.fault)
                if guard.fault is None or guard.fault.passing is None:
                    break
                failures += 1
                if failures > MOST_FAILED_TURNS and self._once:
                    raise guard.fault.passing
                _log.warning("the start waits for the machine", problem=str(guard.fault.error))
                notifier.status(f"waits: {guard.fault.error.problem}")
                await self._pause_after_fault(guard.fault, failures)
        return not is_stopping()

    async def turn_until_over(self, turn: Callable[[], Awaitable[bool]], *, may_end: Callable[[], bool]) -> None:
        """Have turn follow turn until one says that all is over; `may_end` is asked after one that failed."""
        failures = 0
        while True:
            with Guard("a turn of the service") as guard:
                if await turn():
                    return
            self._faults.settle_fault(_TURN, guard.fault)
            if guard.fault is None:
                failures = 0
                continue
            failures += 1
            if failures > MOST_FAILED_TURNS and self._once:
                raise guard.fault.error
            if may_end():
                return
            _log.warning("a turn of the service failed; another follows", problem=str(guard.fault.error))
            await self._pause_after_fault(guard.fault, failures)

    async def _pause_after_fault(self, fault: Fault, failures: int) -> None:
        """A fault that stays is met now and then, not for ever at full speed."""
        self._flag = anyio.Event()
        longest = PASSING_SECONDS if fault.passing is not None else FAULT_SECONDS
        with anyio.move_on_after(min(longest, FIRST_SECONDS * 2.0 ** min(failures, 16))):
            await self._flag.wait()
