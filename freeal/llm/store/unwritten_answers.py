"""Answers on their way to the disk: whoever waits for the same commit shares it."""

from __future__ import annotations

import dataclasses
import functools

import anyio
import anyio.to_thread

from freeal.llm.store.answer_store import AnswerStore
from freeal.llm.store.bill_records import OpenCall
from freeal.types import Bill, Reply


@dataclasses.dataclass(slots=True)
class _Unwritten:
    """What the next commit takes, of all who wait for it."""

    replies: dict[str, Reply] = dataclasses.field(default_factory=dict)
    bill: Bill = dataclasses.field(default_factory=Bill)
    opened: list[OpenCall] = dataclasses.field(default_factory=list)
    closed: list[str] = dataclasses.field(default_factory=list)

    def followed_by(self, later: _Unwritten) -> _Unwritten:
        return _Unwritten(
            self.replies | later.replies,
            self.bill + later.bill,
            self.opened + later.opened,
            self.closed + later.closed,
        )


class Keeper:
    """Puts answers and their bills into the store. A full sync takes milliseconds, and many calls end at once.

    What a commit that failed would have held goes into the next one: a caller that returns has its own on disk.
    """

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._writing = anyio.Lock()
        self._unwritten = _Unwritten()
        self._added = self._kept = 0

    async def open(self, call: OpenCall) -> None:
        """Return when the call is written down: it may go. One that costs nothing needs no record."""
        if call.usd > 0.0:
            await self._keep_unwritten(_Unwritten(opened=[call]))

    async def keep(self, replies: dict[str, Reply], bill: Bill, *, call: OpenCall | None = None) -> None:
        """Return when both are on disk, and the call they came from is struck out. What is paid for is kept although
        the caller is told to stop."""
        closed = [call.id] if call is not None and call.usd > 0.0 else []
        await self._keep_unwritten(_Unwritten(dict(replies), bill, closed=closed))

    async def strike_out(self, call: OpenCall) -> None:
        """Return when it is on disk that a call came to nothing."""
        if call.usd > 0.0:
            await self._keep_unwritten(_Unwritten(closed=[call.id]))

    async def _keep_unwritten(self, more: _Unwritten) -> None:
        self._unwritten = self._unwritten.followed_by(more)
        self._added += 1
        mine = self._added
        with anyio.CancelScope(shield=True):
            async with self._writing:
                if self._kept < mine:
                    await self._write_unwritten()

    async def _write_unwritten(self) -> None:
        batch, kept = self._unwritten, self._added
        self._unwritten = _Unwritten()
        write = functools.partial(
            self._store.put_many, batch.replies, bill=batch.bill, opened=batch.opened, closed=batch.closed
        )
        try:
            await anyio.to_thread.run_sync(write)
        except BaseException:
            self._unwritten = batch.followed_by(self._unwritten)
            raise
        self._kept = kept
