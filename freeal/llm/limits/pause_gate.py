"""Calls wait here while the server wants quiet: one gate for all that share it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]


class PauseGate:
    """Calls wait here while the server wants quiet. `clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Clock = anyio.current_time, sleep: Sleep = anyio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._open_at: float | None = None

    @property
    def closed(self) -> bool:
        """Whether calls are held at the moment."""
        return self._open_at is not None and self._open_at > self._clock()

    def pause(self, seconds: float) -> None:
        """Hold all calls that are not yet under way for `seconds` from now, or longer where a pause already is."""
        until = self._clock() + seconds
        self._open_at = until if self._open_at is None else max(self._open_at, until)

    async def wait(self) -> None:
        """Return once the gate is open."""
        while self._open_at is not None:
            left = self._open_at - self._clock()
            if left <= 0:
                self._open_at = None
                return
            await self._sleep(left)
