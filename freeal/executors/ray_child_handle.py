"""The process in which Ray runs, from outside: what it is told to do, what it says, and its end."""

from __future__ import annotations

import contextlib
import json
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from typing import IO, Any

from freeal.errors import ExecutorError
from freeal.executors.errors_as_messages import error_from_message
from freeal.executors.ray_child_main import Order

MODULE = "freeal.executors.ray_child_main"
BEAT_SECONDS = 1.0
GRACE_SECONDS = 20.0
"""For a cluster of our own to end in."""
_TAIL_BYTES = 4_000


def messages_of_ray_child(order: Order, *, on_notice: Callable[[str], None]) -> Generator[dict[str, Any] | None]:
    """Have it done in a process of its own. Yields what the order's `messages` yields there, and None now and then
    while there is nothing new; closing the iterator ends the process and the work. `on_notice` hears of the cluster.
    Raises what the work raises, and `ExecutorError` where the process ended without a word."""
    with tempfile.TemporaryFile() as log:
        child = RayChild(pickle.dumps(order), log)
        try:
            yield from _messages_of_ray_child(child, on_notice)
        finally:
            child.end_ray_child()


def _messages_of_ray_child(child: RayChild, on_notice: Callable[[str], None]) -> Iterator[dict[str, Any] | None]:
    """What the Ray child says of the work, until it is done; None now and then while there is nothing new."""
    while True:
        message = child.next_message(BEAT_SECONDS)
        if message is None:
            yield None
        elif "joined" in message:
            on_notice(f"Ray: {message['joined']['CPU']:.0f} CPUs, {message['joined']['GPU']:.0f} GPUs")
        elif "error" in message:
            raise error_from_message(message)
        elif "done" in message:
            return
        elif "ended" in message:
            raise ExecutorError(f"the process that had joined Ray ended: {child.how_it_ended()}")
        else:
            yield message


class RayChild:
    """A process, its messages, and the end of its log."""

    def __init__(self, order: bytes, log: IO[bytes]) -> None:
        """Start the Ray child and hand it its pickled order; `log` takes its stderr."""
        self._log = log
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError):  # it ended before it had read all: how, is told where its end is met
            self._process.stdin.write(f"{len(order)}\n".encode() + order)
            self._process.stdin.flush()
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True, name="ray messages").start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        for line in self._process.stdout:
            self._messages.put(json.loads(line))
        self._messages.put({"ended": True})

    def next_message(self, seconds: float) -> dict[str, Any] | None:
        """The next message, None where there is none for so long."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def how_it_ended(self) -> str:
        """Exit code and its last words."""
        code = self._process.wait()
        self._log.seek(max(0, self._log.seek(0, 2) - _TAIL_BYTES))
        last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-3:]
        return f"exit code {code}; {' / '.join(last) or 'without a word'}"

    def end_ray_child(self) -> None:
        """Ask it to end (its stdin closes, it is told), and see to it."""
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
