"""How many connections the live page holds, and for how long one may say nothing: each costs the service a descriptor,
and a service without descriptors takes no files.

uvicorn's own limits begin with a request; whoever only connects, or stops in its midst, or never reads, is met here.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_CONNECTIONS = 200
SHARE_OF_DESCRIPTORS = 0.25
"""Of what the process may have open at all."""
IDLE_SECONDS = 20.0
"""Without a byte of a request that is not complete yet, or of an answer that its reader does not take."""


def most_connections() -> int:
    """Beyond so many, a new one is closed at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, int(soft * SHARE_OF_DESCRIPTORS)))


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to patience."""

    idle_seconds = IDLE_SECONDS
    most = staticmethod(most_connections)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; one too many is sent away."""
        super().connection_made(transport)
        if len(self.connections) > self.most():
            transport.abort()
        else:
            self._wind()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._unwind()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """It said something; as long as its request is not whole, it has to go on."""
        self._unwind()
        super().data_received(data)
        if self._waits_for_request:
            self._wind()

    def pause_writing(self) -> None:
        """It does not take what is sent to it."""
        self.flow.pause_writing()
        self._wind()

    def resume_writing(self) -> None:
        """It takes it again."""
        self.flow.resume_writing()
        if not self._waits_for_request:
            self._unwind()

    @property
    def _waits_for_request(self) -> bool:
        """Whether nothing can be done before the client says more. Between two requests, uvicorn's own limit holds."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or (cycle.more_body and not cycle.response_complete)

    def _wind(self) -> None:
        self._unwind()
        self._timer = self.loop.call_later(self.idle_seconds, self._give_up)

    def _unwind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()
