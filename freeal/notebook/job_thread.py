"""A job in a thread of its own with an event loop of its own: so it can be waited for in a notebook, whose loop runs
already, in a plain script, and in any other event loop."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel

from freeal.events import Emit, Event

Result = TypeVar("Result")


class StoppedError(RuntimeError):
    """The job was stopped before its end."""


class JobThread(Generic[Result]):
    """Runs `job`, which is given a listener for its events. `next_event` is for one thread at a time."""

    def __init__(self, job: Callable[[Emit], Awaitable[Result]]) -> None:
        self._job = job
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._began = threading.Event()
        self._scope: anyio.CancelScope | None = None
        self._token: anyio.lowlevel.EventLoopToken | None = None
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work_in_thread, name="freeal job", daemon=True)
        self._thread.start()

    def next_event(self) -> Event | None:
        """Wait for what happens next; None when the job is over, again and again."""
        event = self._events.get()
        if event is None:
            self._events.put(None)
        return event

    def result(self) -> Result:
        """What came of a job that is over; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def stop(self) -> None:
        """End the job, if it still runs, and wait until it has."""
        self._began.wait()
        if self._thread.is_alive() and self._scope is not None and self._token is not None:
            try:
                anyio.from_thread.run_sync(self._scope.cancel, token=self._token)
            except RuntimeError:  # it came to its end meanwhile
                self._thread.join()
        self._thread.join()

    def _work_in_thread(self) -> None:
        try:
            self._result.append(anyio.run(self._run_job_in_scope))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        finally:
            self._began.set()
            self._events.put(None)

    async def _run_job_in_scope(self) -> Result:
        self._token = anyio.lowlevel.current_token()
        with anyio.CancelScope() as self._scope:
            self._began.set()
            return await self._job(self._events.put)
        raise StoppedError("the run was stopped; the same again goes on after its last round")
