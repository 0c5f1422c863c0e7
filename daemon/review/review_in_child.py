"""What a page needs that only another process can find out (it takes numpy, torch, or long): asked once, kept, and
shown as soon as it is there."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import anyio

from daemon.errors import ChildError
from daemon.host.fault_guard import Guard
from daemon.processes.ask_child_once import ask_once
from daemon.processes.message_protocol import Answer, Failure, Result

MODULE = "daemon.processes.entry_points.review_worker"
PATIENCE_SECONDS = 2.5
"""So long a page waits before it says that something is being prepared."""
MOST_KEPT = 32
AT_ONCE = 2


@dataclasses.dataclass(slots=True)
class _Errand:
    request: dict[str, Any]
    environment: Mapping[str, str] | None = None
    over: anyio.Event = dataclasses.field(default_factory=anyio.Event)
    answer: Answer | None = None


class Errands:
    """Runs errands, two at once. `run` must be under way for them to be done."""

    def __init__(self, *, module: str = MODULE, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._module, self.patience_seconds = module, patience_seconds
        self._known: collections.OrderedDict[str, _Errand] = collections.OrderedDict()
        self._waiting: collections.deque[_Errand] = collections.deque()
        self._more = anyio.Semaphore(0)

    async def result_of_child(self, key: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """What came of a request; None while it is under way. `key` says when two are the same, their files' state
        included. Raises `FreealError` for what went wrong, and asks anew the next time."""
        errand = self._known.get(key)
        if errand is None:
            while len(self._known) >= MOST_KEPT:
                self._known.popitem(last=False)
            errand = self._known[key] = _Errand(request)
            self._waiting.append(errand)
            self._more.release()
        self._known.move_to_end(key)
        with anyio.move_on_after(self.patience_seconds):
            await errand.over.wait()
        if not errand.over.is_set():
            return None
        if not isinstance(errand.answer, Result):
            self._known.pop(key, None)
        return _content(errand.answer)

    def remember(self, key: str, content: dict[str, Any]) -> None:
        """Known without asking: another request has brought it along."""
        errand = _Errand({}, answer=Result(content))
        errand.over.set()
        self._known[key] = errand

    async def finish_in_child(
        self, request: dict[str, Any], *, environment: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Do it, however long it takes, and however often it was done; in an `environment` that may hold a key, by
        default without any. Raises `FreealError`."""
        errand = _Errand(request, environment)
        self._waiting.append(errand)
        self._more.release()
        await errand.over.wait()
        return _content(errand.answer)

    def forget_all(self, prefix: str) -> None:
        """Ask anew the next time, whatever begins so."""
        for key in [key for key in self._known if key.startswith(prefix)]:
            self.forget(key)

    def forget(self, key: str) -> None:
        """Ask anew the next time."""
        self._known.pop(key, None)

    async def run(self) -> None:
        """Serve for ever."""
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(self._serve_errands)

    async def _serve_errands(self) -> None:
        while True:
            await self._more.acquire()
            errand = self._waiting.popleft()
            try:
                with Guard("preparing a page") as guard:
                    line = json.dumps(errand.request)
                    errand.answer = await ask_once(self._module, line, environment=errand.environment)
                if guard.fault is not None:
                    errand.answer = Failure.of_fault(guard.fault)
            finally:
                errand.over.set()


def _content(answer: Answer | None) -> dict[str, Any]:
    if isinstance(answer, Result):
        return answer.content
    raise answer.as_error() if isinstance(answer, Failure) else ChildError("ended without an answer")
