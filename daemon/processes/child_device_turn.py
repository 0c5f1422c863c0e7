"""The child's end of the device's turn: asked for over the pipe, granted by daemon/jobs/device_turns.py."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio

from daemon.processes.child_channel import Channel
from daemon.processes.message_protocol import Grant, Turn
from freeal.events import Event, Progress, Waiting

SOON_SECONDS = 0.5
"""A wait no longer than this is not worth telling of."""


class DeviceTurns:
    """A `DeviceTurn` (freeal/compute), and the listener that knows what the job was at. For one event loop."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._alone = anyio.Lock()
        self._number = 0
        self._granted = anyio.Event()
        self._last: Progress | None = None

    def emit(self, event: Event) -> None:
        """Send an event up; what was under way is said again after a wait."""
        if isinstance(event, Progress):
            self._last = event
        self._channel.emit(event)

    def take(self, grant: Grant) -> None:
        """A grant has come. One for a turn that is over, because we were stopped meanwhile, means nothing."""
        if grant.number == self._number:
            self._granted.set()

    @contextlib.asynccontextmanager
    async def device_turn(self) -> AsyncIterator[None]:
        """Ask, wait, and give back."""
        async with self._alone:
            self._number += 1
            self._granted = anyio.Event()
            self._channel.send(Turn(self._number, wanted=True))
            try:
                await self._wait_for_device()
                yield
            finally:
                self._channel.send(Turn(self._number, wanted=False))

    async def _wait_for_device(self) -> None:
        with anyio.move_on_after(SOON_SECONDS):
            await self._granted.wait()
        if not self._granted.is_set():
            self._channel.emit(Waiting("the device"))
            await self._granted.wait()
            if self._last is not None:
                self._channel.emit(self._last)
