"""Shards on a Ray cluster, from a process that keeps its own signals: Ray runs in a child."""

from __future__ import annotations

import contextlib
import json
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from freeal.compute.listener import unheard
from freeal.errors import ExecutorError
from freeal.executors import ray_cluster
from freeal.executors.error_messages import raised_again
from freeal.executors.ray_child_process import Order
from freeal.executors.shard_folder import ShardFolder
from freeal.executors.shard_task import Engine, ShardTask
from freeal.settings import RaySettings

MODULE = "freeal.executors.ray_child_process"
BEAT_SECONDS = 1.0
GRACE_SECONDS = 20.0
"""For a cluster of our own to end in."""
_TAIL_BYTES = 4_000


class RayExecutor:
    """An `Executor` over a cluster; see `RaySettings` for which."""

    name: Engine = "ray"

    def __init__(self, settings: RaySettings, *, on_notice: Callable[[str], None] = unheard) -> None:
        """Raises `ConfigError` where Ray is not installed or the address cannot work."""
        ray_cluster.check(settings)
        self._settings = settings
        self._on_notice = on_notice

    def run(self, task: ShardTask, shards: ShardFolder) -> Iterator[str | None]:
        """See `Executor.run`. No cluster is joined where nothing is left to do."""
        if not shards.missing(task):
            return
        order = Order(task, shards.folder.resolve(), shards.names, shards.rows, self._settings)
        with tempfile.TemporaryFile() as log:
            child = _Child(pickle.dumps(order), log)
            try:
                yield from self._heard(child)
            finally:
                child.end()

    def _heard(self, child: _Child) -> Iterator[str | None]:
        while True:
            message = child.next(BEAT_SECONDS)
            if message is None:
                yield None
            elif "shard" in message:
                yield str(message["shard"])
            elif "joined" in message:
                self._on_notice(f"Ray: {message['joined']['CPU']:.0f} CPUs, {message['joined']['GPU']:.0f} GPUs")
            elif "error" in message:
                raise raised_again(message)
            elif "done" in message:
                return
            else:
                raise ExecutorError(f"the process that had joined Ray ended: {child.how_it_ended()}")


class _Child:
    """A process, its messages, and the end of its log."""

    def __init__(self, order: bytes, log: IO[bytes]) -> None:
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

    def next(self, seconds: float) -> dict[str, Any] | None:
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

    def end(self) -> None:
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
