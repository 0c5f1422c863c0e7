"""The daemon's end of the pipe: starts a process of ours, listens, stops it, and always buries it.

Every child leads a session of its own, so that one signal reaches whatever it started too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import anyio
import anyio.abc
import structlog

from daemon.errors import ChildError
from daemon.processes import protocol
from daemon.processes.protocol import Answer, EventMessage, Failure, Up
from freeal import torch_runtime
from freeal.events import Event
from freeal.llm.credentials import environment_for

_log = structlog.get_logger(__name__)

STDERR_TAIL_BYTES = 8_000
LONGEST_LINE_BYTES = 16_000_000
FAREWELL_SECONDS = 10.0
"""How long a child that has answered may take to exit."""


class Child:
    """A running process of ours."""

    def __init__(self, process: anyio.abc.Process, module: str) -> None:
        self._process = process
        self._module = module
        self._tail = b""

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self._process.pid

    @property
    def stderr_tail(self) -> str:
        """The last it wrote to stderr."""
        return self._tail.decode(errors="replace").strip()

    async def send(self, line: str) -> None:
        """Hand a request down. A child that is gone is noticed by `messages`."""
        stdin = self._process.stdin
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            if stdin is not None:
                await stdin.send(line.encode() + b"\n")

    async def messages(self) -> AsyncIterator[Up]:
        """What the child says, until its pipe ends."""
        stdout = self._process.stdout
        buffer = b""
        while stdout is not None:
            try:
                buffer += await stdout.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                message = protocol.decode(line.decode(errors="replace"))
                if message is None:
                    _log.warning("a process said something unknown", module=self._module, length=len(line))
                else:
                    yield message
            if len(buffer) > LONGEST_LINE_BYTES:
                return

    def signal(self, number: signal.Signals) -> None:
        """Signal the child and whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def finish(self) -> int:
        """Close its stdin, give it a moment to exit, kill what is left; the exit code, negative for a signal."""
        if self._process.stdin is not None:
            await self._process.stdin.aclose()
        with anyio.move_on_after(FAREWELL_SECONDS):
            await self._process.wait()
        self.signal(signal.SIGKILL)
        return await self._process.wait()

    def how_it_died(self, code: int) -> ChildError:
        """The error for a child that ended without an answer."""
        if code < 0:
            name = signal.Signals(-code).name
            memory = code == -signal.SIGKILL
            return ChildError(
                f"its process was killed by {name}" + (", most likely for want of memory" if memory else ""),
                hint="give it more memory, or choose a smaller model or batch size" if memory else "see the log",
            )
        return ChildError(f"its process ended with exit code {code} and no result", hint="see the log")

    async def _keep_stderr_tail(self) -> None:
        stderr = self._process.stderr
        while stderr is not None:
            try:
                self._tail = (self._tail + await stderr.receive())[-STDERR_TAIL_BYTES:]
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return


@contextlib.asynccontextmanager
async def child(module: str, *, environment: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """A process running `python -m module` for the length of the block; killed at its end if it still runs.

    `environment` default: our own without any key.
    """
    if environment is None:
        environment = environment_for(None, os.environ)
    process = await anyio.open_process(
        [sys.executable, "-m", module], start_new_session=True, env={**torch_runtime.ENVIRONMENT, **environment}
    )
    handle = Child(process, module)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(handle._keep_stderr_tail)
        try:
            yield handle
        finally:
            with anyio.CancelScope(shield=True):
                handle.signal(signal.SIGKILL)
                await process.aclose()
            tasks.cancel_scope.cancel()


async def converse(
    process: Child,
    request: str,
    *,
    on_event: Callable[[Event], None],
    stop: anyio.Event,
    timeout_seconds: float,
    grace_seconds: float,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Answer | None:
    """Send one request and wait for its answer; None when the child died without one.

    When `stop` is set the child gets SIGTERM, and SIGKILL after `grace_seconds`; past `timeout_seconds` it is killed.
    `meanwhile` runs from the request to the answer.
    """
    answer: Answer | None = None
    with anyio.move_on_after(timeout_seconds) as limit:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_when_told, process, stop, grace_seconds)
            await process.send(request)
            if meanwhile is not None:
                tasks.start_soon(meanwhile)
            async for message in process.messages():
                if not isinstance(message, EventMessage):
                    answer = message
                    break
                on_event(message.event)
            tasks.cancel_scope.cancel()
    if answer is None and limit.cancelled_caught:
        process.signal(signal.SIGKILL)
        hours = timeout_seconds / 3600
        return Failure("ChildError", f"took longer than {hours:g} hours", hint="raise jobs.timeout_hours")
    return answer


async def _stop_when_told(process: Child, stop: anyio.Event, grace_seconds: float) -> None:
    await stop.wait()
    process.signal(signal.SIGTERM)
    await anyio.sleep(grace_seconds)
    process.signal(signal.SIGKILL)
