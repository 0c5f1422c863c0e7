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

from daemon.errors import ChildError, ResourceError
from daemon.host.memory_kills import kernel_memory_kills
from daemon.processes import message_protocol
from daemon.processes.message_protocol import Answer, EventMessage, Failure, Result, Turn, Up
from freeal.compute import cpu_threads
from freeal.events import Event, Progress, Waiting
from freeal.llm.credentials import environment_for

_log = structlog.get_logger(__name__)

STDERR_TAIL_BYTES = 8_000
LONGEST_LINE_BYTES = 16_000_000
FAREWELL_SECONDS = 10.0
"""How long a child that has answered may take to exit."""


class Child:
    """A running process of ours."""

    def __init__(
        self, process: anyio.abc.Process, module: str, *, memory_kills: Callable[[], int | None] | None = None
    ) -> None:
        """`memory_kills` counts what the kernel killed for want of memory, None where nobody knows."""
        self._process = process
        self._memory_kills = memory_kills or kernel_memory_kills
        self._module = module
        self._tail = b""
        self._is_killed_by_us = False
        self._memory_kills_before = self._memory_kills()

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self._process.pid

    @property
    def stderr_tail(self) -> str:
        """The last it wrote to stderr."""
        return self._tail.decode(errors="replace").strip()

    async def send(self, line: str) -> None:
        """Hand a request down. A child that is gone is noticed by `messages_of_process`."""
        stdin = self._process.stdin
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            if stdin is not None:
                await stdin.send(line.encode() + b"\n")

    async def messages_of_process(self) -> AsyncIterator[Up]:
        """What the supervised process says, until its pipe ends."""
        stdout = self._process.stdout
        buffer = b""
        while stdout is not None:
            try:
                buffer += await stdout.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                message = message_protocol.decode(line.decode(errors="replace"))
                if message is None:
                    _log.warning("a process said something unknown", module=self._module, length=len(line))
                else:
                    yield message
            if len(buffer) > LONGEST_LINE_BYTES:
                return

    def signal(self, number: signal.Signals) -> None:
        """Signal the child and whatever it started."""
        if number == signal.SIGKILL and self._process.returncode is None:
            self._is_killed_by_us = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def finish_process(self) -> int:
        """Let the supervised process end: close its stdin, give it a moment to exit, kill what is left; the exit code,
        negative for a signal."""
        if self._process.stdin is not None:
            await self._process.stdin.aclose()
        with anyio.move_on_after(FAREWELL_SECONDS):
            await self._process.wait()
        self.signal(signal.SIGKILL)
        return await self._process.wait()

    def was_killed(self, code: int) -> bool:
        """Whether somebody else than we killed it outright."""
        return code == -signal.SIGKILL and not self._is_killed_by_us

    def ran_out_of_memory(self, code: int) -> bool:
        """Whether it was the kernel that killed it, for want of memory; a kill that cannot be told apart counts."""
        before, now = self._memory_kills_before, self._memory_kills()
        return self.was_killed(code) and (before is None or now is None or now > before)

    def how_it_died(self, code: int) -> ChildError:
        """The error for a child that ended without an answer."""
        if code < 0:
            name = signal.Signals(-code).name
            memory = self.ran_out_of_memory(code)
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

    `environment` default: our own without any key. Raises `ResourceError` where none can be started.
    """
    if environment is None:
        environment = environment_for(None, os.environ)
    try:
        process = await anyio.open_process(
            [sys.executable, "-m", module], start_new_session=True, env={**cpu_threads.ENVIRONMENT, **environment}
        )
    except OSError as cause:  # descriptors, processes or memory; or the interpreter is being replaced by another
        hint = "it waits and goes on by itself; `ulimit -a` shows the limits of the service"
        raise ResourceError(f"no process can be started: {cause.strerror or cause}", hint=hint) from cause
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
    silence_seconds: float,
    grace_seconds: float,
    on_turn: Callable[[Turn], None] | None = None,
    may_be_silent: Callable[[], bool] = lambda: False,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Answer | None:
    """Send one request and wait for its answer; None when the child died without one.

    When `stop` is set the child gets SIGTERM, and SIGKILL after `grace_seconds`; the same happens to one that said
    nothing for `silence_seconds`, unless it `may_be_silent`. That time is what the machine was awake. `on_turn` hears
    what the child says of the device; `meanwhile` runs from the request to the answer.
    """
    talk = _Talk(process, grace_seconds)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_when_told, talk, stop)
        tasks.start_soon(_stop_when_silent, talk, silence_seconds, may_be_silent)
        await process.send(request)
        if meanwhile is not None:
            tasks.start_soon(meanwhile)
        async for message in process.messages_of_process():
            talk.note_message(message)
            if isinstance(message, EventMessage):
                on_event(message.event)
            elif not isinstance(message, Turn):
                talk.answer = message
                break
            elif on_turn is not None:
                on_turn(message)
        tasks.cancel_scope.cancel()
    if talk.fell_silent and not isinstance(talk.answer, Result):
        return _silence_failure(silence_seconds, talk.last)
    return talk.answer


class _Talk:
    """One request and what was heard of it so far."""

    def __init__(self, process: Child, grace_seconds: float) -> None:
        self._process = process
        self._grace_seconds = grace_seconds
        self.answer: Answer | None = None
        self.fell_silent = False
        self.last = "nothing at all"
        self.heard_at = anyio.current_time()

    def note_message(self, message: Up) -> None:
        self.heard_at = anyio.current_time()
        event = message.event if isinstance(message, EventMessage) else None
        if isinstance(event, Progress):
            in_round = f" of round {event.round}" if event.round else ""
            self.last = f"{event.stage}{in_round}, {event.done} of {event.total} {event.unit}"
        elif isinstance(event, Waiting):
            self.last = f"waiting for {event.what}"

    async def end(self) -> None:
        self._process.signal(signal.SIGTERM)
        await anyio.sleep(self._grace_seconds)
        self._process.signal(signal.SIGKILL)


async def _stop_when_told(talk: _Talk, stop: anyio.Event) -> None:
    await stop.wait()
    await talk.end()


async def _stop_when_silent(talk: _Talk, silence_seconds: float, may_be_silent: Callable[[], bool]) -> None:
    while (left := talk.heard_at + silence_seconds - anyio.current_time()) > 0:
        await anyio.sleep(left)
        if may_be_silent():
            talk.heard_at = anyio.current_time()
    talk.fell_silent = True
    await talk.end()


def _silence_failure(seconds: float, last: str) -> Failure:
    return Failure(
        ChildError.__name__,
        f"its process said nothing for {seconds / 60:g} minutes; the last it told was: {last}",
        hint="see the log; where a single step takes that long, raise jobs.stall_minutes",
    )
