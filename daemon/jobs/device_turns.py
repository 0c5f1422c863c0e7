"""Who holds the device, who waits for it, and who only waits for a batch: what lets jobs run side by side.

The device (the GPU, or the cores of the CPU) is one job's at a time, in the order of asking; a piece of work is one
fit or some hundred rows of a local model, so nobody waits behind a whole job. A job whose texts lie in a batch at the
provider does nothing for hours and holds no place among `jobs.parallel`. Predictions ask nobody: a process of their own
labels them, and training gives way to it (`train_job.NICENESS`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator

import anyio

from daemon.processes.message_protocol import Grant, Turn
from freeal.events import BatchProgress, Event, Notice, RoundFinished, Spend, Waiting


class Lanes:
    """The jobs that run. For one event loop."""

    def __init__(self) -> None:
        self._wanted: dict[str, int] = {}
        """Turns asked for and not over, in the order of asking; the first one has the device."""
        self._granted: dict[str, anyio.Event] = {}
        self._idle: set[str] = set()
        self._listener: Callable[[], object] = _nobody

    def listen(self, listener: Callable[[], object]) -> None:
        """Have `listener` called when a job begins or ends to wait for a batch."""
        self._listener = listener

    @property
    def holder(self) -> str | None:
        """The job that computes now."""
        return next(iter(self._wanted), None)

    @property
    def queue(self) -> tuple[str, ...]:
        """The jobs that wait for the device, the next one first."""
        return tuple(self._wanted)[1:]

    @property
    def idle(self) -> frozenset[str]:
        """The jobs that wait for a batch at the provider."""
        return frozenset(self._idle)

    @contextlib.contextmanager
    def job_at_device(self, job_id: str) -> Iterator[None]:
        """A job counts for the length of the block; what it had asked for is over with it."""
        self._granted[job_id] = anyio.Event()
        try:
            yield
        finally:
            self._give_up(job_id)
            del self._granted[job_id]
            self._set_idle(job_id, is_idle=False)

    def on_device_turn(self, job_id: str, turn: Turn) -> None:
        """Take in what a job's process says of the device."""
        if turn.wanted:
            self._give_up(job_id)
            self._wanted[job_id] = turn.number
            if self.holder == job_id:
                self._granted[job_id].set()
        elif self._wanted.get(job_id) == turn.number:
            self._give_up(job_id)

    def heed_batch_waiting(self, job_id: str, event: Event) -> None:
        """Learn from a job's events whether it waits for a batch."""
        if isinstance(event, Spend | Notice | RoundFinished):
            return
        is_batch = isinstance(event, BatchProgress) and event.answered < event.requests
        self._set_idle(job_id, is_idle=is_batch or (isinstance(event, Waiting) and event.what == "a batch"))

    def waits(self, job_id: str) -> bool:
        """Whether a job has asked for the device and does not have it: it cannot help its silence."""
        return job_id in self.queue

    async def tell_grants(self, job_id: str, send: Callable[[Grant], Awaitable[None]]) -> None:
        """Hand a job its grants, until cancelled."""
        while True:
            await self._granted[job_id].wait()
            self._granted[job_id] = anyio.Event()
            if self.holder == job_id:
                await send(Grant(self._wanted[job_id]))

    def _give_up(self, job_id: str) -> None:
        was_holder = self.holder == job_id
        self._wanted.pop(job_id, None)
        if was_holder and self.holder is not None:
            self._granted[self.holder].set()

    def _set_idle(self, job_id: str, *, is_idle: bool) -> None:
        if is_idle == (job_id in self._idle):
            return
        self._idle ^= {job_id}
        self._listener()


def _nobody() -> None:
    """Before anybody listens."""
