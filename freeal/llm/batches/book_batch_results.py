"""Results of a batch into the answer store: paid for once, booked once, whatever is killed in between."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread

from freeal.llm.batches.batch_service import BatchService, Outcome
from freeal.llm.store.answer_store import AnswerStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import BATCH_SHARE
from freeal.types import Reply

_REPLIES_AT_ONCE = 500

OnStored = Callable[[Mapping[str, Reply]], None]
"""Called with replies by request key, once they are in the store."""


class Collector:
    """Reads results for one job. A reply that is in the store already was booked when it got there."""

    def __init__(self, service: BatchService, store: AnswerStore, ledger: Ledger) -> None:
        self._service = service
        self._store = store
        self._ledger = ledger

    async def book_results(self, batch_id: str, names: Mapping[str, str], on_stored: OnStored) -> dict[str, Outcome]:
        """Store every reply of a batch (`names`: custom_id -> request key); the outcomes that are none, by key.

        May be called again when it breaks off: what was stored is not booked a second time.
        """
        others: dict[str, Outcome] = {}
        replies: dict[str, Reply] = {}
        async with contextlib.aclosing(self._service.results(batch_id)) as results:
            async for outcome in results:
                key = names.get(outcome.custom_id)
                if key is None:
                    continue
                if outcome.reply is None:
                    others[key] = outcome
                    continue
                replies[key] = outcome.reply
                if len(replies) == _REPLIES_AT_ONCE:
                    await self._store_and_book(replies, on_stored)
                    replies = {}
        await self._store_and_book(replies, on_stored)
        return others

    async def _store_and_book(self, replies: Mapping[str, Reply], on_stored: OnStored) -> None:
        if not replies:
            return
        # Paid for: not even a stop may come between the answer and the disk, nor between the disk and the books.
        with anyio.CancelScope(shield=True):
            known = await anyio.to_thread.run_sync(self._store.get_many, list(replies))
            fresh = {key: reply for key, reply in replies.items() if key not in known}
            bill = self._ledger.charge(*(reply.usage for reply in fresh.values()), share=BATCH_SHARE)
            await anyio.to_thread.run_sync(functools.partial(self._store.put_many, fresh, bill=bill))
        on_stored({**replies, **known})
