"""Answers on their way to the disk: whoever waits for the same commit shares it."""

from __future__ import annotations

import functools

import anyio
import anyio.to_thread

from freeal.llm.store.answer_store import AnswerStore
from freeal.types import Bill, Reply


class Keeper:
    """Puts answers and their bills into the store. A full sync takes milliseconds, and many calls end at once."""

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._writing = anyio.Lock()
        self._replies: dict[str, Reply] = {}
        self._bill = Bill()
        self._added = self._kept = 0

    async def keep(self, replies: dict[str, Reply], bill: Bill) -> None:
        """Return when both are on disk. What is paid for is kept although the caller is told to stop."""
        self._replies |= replies
        self._bill = self._bill + bill
        self._added += 1
        mine = self._added
        with anyio.CancelScope(shield=True):
            async with self._writing:
                if self._kept < mine:
                    await self._write()

    async def _write(self) -> None:
        replies, bill, kept = self._replies, self._bill, self._added
        self._replies, self._bill = {}, Bill()
        await anyio.to_thread.run_sync(functools.partial(self._store.put_many, replies, bill=bill))
        self._kept = kept
