"""The way of a batch on the service: intended, created once, found again, waited for."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence

import anyio
import anyio.to_thread

from freeal.errors import LlmError, TransientError
from freeal.events import BatchProgress, Emit, Notice, Waiting
from freeal.llm.batches.batch_journal import BatchBook, Entry
from freeal.llm.batches.batch_service import Batch, BatchService
from freeal.llm.batches.lost_batch_search import Search
from freeal.llm.limits.retry import Retry
from freeal.llm.store.answer_store import AnswerStore
from freeal.llm.store.bill_records import OpenCall
from freeal.types import Prompt

_FIRST_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 120.0
_GROWTH = 1.5


class Track:
    """Keeps record and service in step for one job, and the most that its batches can cost in the answer store, where
    it counts from before a batch goes until it is read or known not to exist.

    All waiting is `sleep`; no clock of ours decides anything.
    """

    def __init__(
        self,
        service: BatchService,
        *,
        book: BatchBook,
        store: AnswerStore,
        retry: Retry,
        emit: Emit,
        job: str,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._service, self._book, self._store, self._retry = service, book, store, retry
        self._emit, self._job, self._sleep = emit, job, sleep
        self._search = Search(service, retry, self._wait_for_end, sleep)

    @property
    def job(self) -> str:
        """Whose batches these are."""
        return self._job

    async def entries(self) -> list[Entry]:
        """All batches at this address that are not struck out, those of other jobs too."""
        return await anyio.to_thread.run_sync(self._book.open_entries, self._service.endpoint)

    async def keys(self, entry: Entry) -> list[str]:
        """The request keys in a batch."""
        return await anyio.to_thread.run_sync(self._book.keys, entry)

    async def strike_out(self, entry: Entry) -> None:
        """A batch is over with: what it cost is booked, or it never was."""
        await self._write_tracked_calls(closed=[entry.intention])
        await anyio.to_thread.run_sync(self._book.close_entry, entry)

    async def give_up(self, entry: Entry) -> None:
        """A batch whose results nobody can read any more: what it may have cost stays with its job, as unconfirmed."""
        await self._write_tracked_calls(given_up=[entry.intention])
        await anyio.to_thread.run_sync(self._book.close_entry, entry)

    async def give_up_unrecorded(self) -> dict[str, float]:
        """The same for batches of this job that are in the answer store and no longer in the record; what they were,
        by intention."""
        recorded = {entry.intention for entry in await anyio.to_thread.run_sync(self._book.open_entries)}
        lost = {call: usd for call, usd in (await self.most_usd()).items() if call not in recorded}
        if lost:
            await self._write_tracked_calls(given_up=list(lost))
        return lost

    async def most_usd(self) -> dict[str, float]:
        """The most that each batch of this job that is not read yet can cost, by intention."""
        return await anyio.to_thread.run_sync(self._store.open_batches)

    async def create(self, prompts: Mapping[str, Prompt], *, most_usd: float) -> Entry:
        """Submit a batch of request key -> prompt, exactly once, however often the line breaks. A `TransientError` of
        trouble `queue_full` says that the service takes no more for now, and that nothing was left behind."""
        newest = await self._retry.call(self._service.newest)
        entry = await anyio.to_thread.run_sync(self._track_intention, newest, list(prompts))
        await self._write_tracked_calls(opened=[OpenCall(most_usd, entry.intention, in_batch=True)])
        requests = {entry.custom_id(key): prompt for key, prompt in prompts.items()}
        begun = anyio.current_time()
        may_exist = False

        async def attempt() -> Entry:
            nonlocal may_exist
            age_seconds = anyio.current_time() - begun
            taken = await self._taken()
            found = (
                await self._search.find_lost_batch(entry, taken=taken, age_seconds=age_seconds) if may_exist else None
            )
            if found is not None:
                await self._note(entry, found)
                return dataclasses.replace(entry, batch_id=found.id)
            try:
                return await self._create_and_note(entry, requests)
            except TransientError as error:
                may_exist = error.trouble != "rate_limit"  # who was too fast has left nothing behind
                raise

        try:
            return await self._retry.call(attempt)
        except TransientError as error:
            if may_exist:
                raise  # the intention stays: the next run looks for it
            await self.strike_out(entry)
            raise TransientError(error.problem, trouble="queue_full", hint=error.hint) from error
        except LlmError:
            await self.strike_out(entry)
            raise

    async def _create_and_note(self, entry: Entry, requests: Mapping[str, Prompt]) -> Entry:
        # Once it is on its way, a stop waits for the note of its id; a kill leaves the intention.
        with anyio.CancelScope(shield=True):
            batch = await self._service.create(requests)
            await self._note(entry, batch)
        return dataclasses.replace(entry, batch_id=batch.id)

    async def _note(self, entry: Entry, batch: Batch) -> None:
        await anyio.to_thread.run_sync(self._book.created, entry, batch.id)

    def _track_intention(self, newest: Batch | None, keys: Sequence[str]) -> Entry:
        return self._book.note_intention(
            job=self._job,
            endpoint=self._service.endpoint,
            newest_before=newest.id if newest else None,
            newest_before_at=newest.created_at.timestamp() if newest else None,
            keys=keys,
        )

    async def _write_tracked_calls(
        self, *, opened: Sequence[OpenCall] = (), closed: Sequence[str] = (), given_up: Sequence[str] = ()
    ) -> None:
        put = functools.partial(self._store.put_many, {}, opened=opened, closed=closed, given_up=given_up)
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(put)

    async def _taken(self) -> Collection[str]:
        return {entry.batch_id for entry in await self.entries() if entry.batch_id is not None}

    async def find_lost(self) -> None:
        """Look for batches of this job whose ids were never noted, and note them, or that there are none."""
        for entry in await self.entries():
            if entry.job != self._job or entry.batch_id is not None:
                continue
            self._emit(Notice("a batch may have been submitted before the last stop: looking for it"))
            batch = await self._search.find_lost_batch(entry, taken=await self._taken())
            if batch is None:
                await self.strike_out(entry)
            else:
                await self._note(entry, batch)

    async def look_up(self, entry: Entry) -> Batch | None:
        """How far a batch is; None when the service does not know it, or keeps its results no longer."""
        batch_id = str(entry.batch_id)
        batch = await self._retry.call(lambda: self._service.look_up(batch_id))
        return None if batch is not None and batch.ended and not batch.readable else batch

    async def wait_for_ends(self, entries: Sequence[Entry]) -> AsyncGenerator[tuple[Entry, Batch | None], None]:
        """Each of these batches as it ends (None: it is gone), asked for at growing intervals.

        A service that cannot be reached is waited for: the batches go on without us.
        """
        waiting = list(entries)
        wait_seconds = _FIRST_WAIT_SECONDS
        unreachable = False
        while waiting:
            for entry in list(waiting):
                try:
                    batch = await self.look_up(entry)
                except TransientError as error:
                    if not unreachable:
                        self._emit(Notice(f"batches go on, but cannot be asked about for now: {error}"))
                    unreachable = True
                    self._emit(Waiting("a batch"))
                    continue
                unreachable = False
                if batch is not None:
                    self._emit(BatchProgress(batch.id, batch.answered, batch.requests))
                if batch is None or batch.ended:
                    waiting.remove(entry)
                    yield entry, batch
            if waiting:
                await self._sleep(wait_seconds)
                wait_seconds = min(wait_seconds * _GROWTH, _LONGEST_WAIT_SECONDS)

    async def _wait_for_end(self, batch_id: str) -> Batch | None:
        stranger = Entry(
            "", self._job, self._service.endpoint, None, None, batch_id, 0, cancelled=False, created_at=0.0
        )
        async with contextlib.aclosing(self.wait_for_ends([stranger])) as ended:
            async for _, batch in ended:
                return batch
        return None
