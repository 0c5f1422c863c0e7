"""The one ticker behind the page: a snapshot a second while somebody looks, none while nobody does.

What is shown is cut into parts, each a piece of HTML under a name. A listener is sent the parts that changed since the
version it has, so two hundred jobs of which one runs cost one row a second.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping

import anyio
import anyio.to_thread
import structlog

from daemon.web.live.page_snapshot import Snapshot

_log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 15.0
MOST_LISTENERS = 100

Parts = Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What is to be seen: the parts, and which of them stand in which list, in order."""

    parts: Parts
    lists: Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Shown:
    content: str | tuple[str, ...]
    since: int


class TooManyListenersError(Exception):
    """No more event streams at once."""


class Feed:
    """Takes snapshots for whoever asks, at most one a second."""

    def __init__(
        self,
        take: Callable[[], Snapshot],
        render: Callable[[Snapshot], View],
        *,
        steady: Callable[[], float],
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """`take` and `render` are called in threads, never two at once."""
        self._take, self._render, self._steady = take, render, steady
        self._tick_seconds = tick_seconds
        self._one_at_a_time = anyio.Lock()
        self._latest: tuple[float, Snapshot] | None = None
        self._epoch = secrets.token_hex(4)
        self._version = 0
        self._parts: dict[str, _Shown] = {}
        self._lists: dict[str, _Shown] = {}
        self._changed = anyio.Event()
        self._wanted = anyio.Event()
        self._closed = False
        self.listeners = 0
        self.taken = 0
        """Snapshots so far."""

    async def current_snapshot(self) -> Snapshot:
        """The newest snapshot, no older than a tick."""
        async with self._one_at_a_time:
            if self._latest is None or self._steady() - self._latest[0] >= self._tick_seconds:
                snapshot = await anyio.to_thread.run_sync(self._take)
                self.taken += 1
                self._latest = (self._steady(), snapshot)
            return self._latest[1]

    async def current_view(self) -> tuple[Snapshot, View, str]:
        """Snapshot, what is shown of it, and the version a page made of it has."""
        snapshot = await self.current_snapshot()
        async with self._one_at_a_time:
            view = await anyio.to_thread.run_sync(self._render, snapshot)
            self._update_parts(view)
            return snapshot, view, f"{self._epoch}-{self._version}"

    async def run(self) -> None:
        """Tick while somebody listens; for ever."""
        while True:
            if not self.listeners:
                self._wanted = anyio.Event()
                await self._wanted.wait()
            try:
                await self.current_view()
            except Exception as problem:  # noqa: BLE001 - a fault of the page must not end the service; it is logged
                _log.exception("the live page cannot look", problem=str(problem))
            await anyio.sleep(self._tick_seconds)

    def close(self) -> None:
        """End every event stream."""
        self._closed = True
        self._changed.set()

    async def listen_to_events(self, known: str) -> AsyncIterator[str]:
        """Server-sent events for one listener that has version `known` (empty: nothing)."""
        if self.listeners >= MOST_LISTENERS:
            raise TooManyListenersError
        version = self._known_version(known)
        self.listeners += 1
        self._wanted.set()
        try:
            yield ": hello\nretry: 2000\n\n"
            while not self._closed:
                changed = self._changed
                if self._version > max(version, 0):
                    message, version = self._parts_message(version), self._version  # another, maybe, once this is sent
                    yield message
                    continue
                with anyio.move_on_after(KEEP_ALIVE_SECONDS) as waiting:
                    await changed.wait()
                if waiting.cancelled_caught:
                    yield ": still here\n\n"
        finally:
            self.listeners -= 1

    def _known_version(self, known: str) -> int:
        epoch, _, number = known.partition("-")
        with contextlib.suppress(ValueError):
            if epoch == self._epoch and 0 <= int(number) <= self._version:
                return int(number)
        return -1

    def _update_parts(self, view: View) -> None:
        following = self._version + 1
        parts = _merge(self._parts, view.parts, following)
        lists = _merge(self._lists, view.lists, following)
        if parts == self._parts and lists == self._lists:
            return
        self._parts, self._lists, self._version = parts, lists, following
        self._changed.set()
        self._changed = anyio.Event()

    def _parts_message(self, since: int) -> str:
        content = {
            "parts": {name: shown.content for name, shown in self._parts.items() if shown.since > since},
            "lists": {name: shown.content for name, shown in self._lists.items() if shown.since > since},
        }
        return f"id: {self._epoch}-{self._version}\nevent: parts\ndata: {json.dumps(content)}\n\n"


def _merge(before: Mapping[str, _Shown], now: Mapping[str, str | tuple[str, ...]], version: int) -> dict[str, _Shown]:
    return {
        name: known if (known := before.get(name)) and known.content == content else _Shown(content, version)
        for name, content in now.items()
    }
