"""Many prompts through a provider's batch service: half the price, answers within a day, nothing submitted twice.

The order of things is what makes it safe. A row of the record (freeal/llm/batches/batch_journal.py) says what is in a
batch before it is created, and its id after; results go into the answer store before the row is struck out. So after a
stop or a kill the next run finds what is under way, waits for it and reads it; a batch whose id was never noted is
looked for (freeal/llm/batches/lost_batch_search.py) before anything is submitted.

Of the prompts of an order only the keys are held, and those that are still open. A batch's prompts are written when it
is its turn, bounded by their number and by the bytes of its body, and let go when it was submitted: under way it is an
entry of the record, which knows its keys. Results are read as a stream and handed on from the store's commits."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterable, Mapping

import anyio.to_thread

from freeal.errors import AccountError, BudgetReachedError, LlmError, RowRejectedError, SpendCapError, TransientError
from freeal.events import Emit, Notice
from freeal.llm.batches.batch_journal import KEPT_SECONDS, Entry
from freeal.llm.batches.batch_service import Batch, BatchService, Outcome
from freeal.llm.batches.batch_tracking import Track
from freeal.llm.batches.book_batch_results import Collector
from freeal.llm.batches.open_requests import OpenRequests
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import BatchOrder, Sent
from freeal.llm.store.answer_store import KEYS_AT_ONCE, AnswerStore
from freeal.money.budget_ledger import Ledger, Reservation
from freeal.money.call_ceiling import call_ceiling
from freeal.money.prices import BATCH_SHARE
from freeal.types import Prompt, Usage

_LEAST_SHARE = 50
_PROBES = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When batches are used, and how large and patient they are."""

    from_rows: int | None
    """Fewest prompts worth a batch; None: no new batch, though what is under way is still read."""
    may_go_live: bool
    """Whether what is left over, or not permitted in batches, may be asked live."""
    most_requests: int = 100_000
    most_bytes: int = 64_000_000
    """The service takes 256 MB; building such a body takes gigabytes, and sending it again after a broken line long."""
    most_tries: int = 3
    """Submissions of one request before it is given up."""


class BatchSender:
    """The batches of one job; see `freeal.llm.protocols.BatchSender`."""

    def __init__(
        self,
        service: BatchService,
        track: Track,
        *,
        store: AnswerStore,
        ledger: Ledger,
        retry: Retry,
        emit: Emit,
        rules: Rules,
    ) -> None:
        self._service, self._track = service, track
        self._store, self._ledger, self._retry, self._emit, self._rules = store, ledger, retry, emit, rules
        self._collector = Collector(service, store, ledger)
        self._reservations: dict[str, Reservation] = {}
        self._proven = False
        self._permitted = True

    async def send(self, order: BatchOrder) -> Sent:
        """What could be answered in batches. Requests in a batch that is under way, of whatever job, wait for it."""
        run = OpenRequests(order)
        await self._track.find_lost()
        await self._hold_budget_of_earlier_batches()
        await self._take_in_forgotten_batches(run)
        while run.open:
            under_way, unsent = await self._batches_under_way(run)
            # only then the store: what another job reads meanwhile is in it before the batch is struck out
            await self._answer_from_store(run)
            new = await self._submit_batches(
                run, [key for key in unsent if key in run.open], is_waiting=bool(under_way)
            )
            if not under_way and not new:
                break
            async with contextlib.aclosing(self._track.wait_for_ends([*under_way, *new])) as ended:
                async for entry, batch in ended:
                    await self._take_in_batch(run, entry, batch)
        run.sent.left = list(run.open)
        return run.sent

    async def _answer_from_store(self, run: OpenRequests) -> None:
        """Another job may have read a batch that both of them need."""
        keys = list(run.open)
        for start in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[start : start + KEYS_AT_ONCE]
            run.close_answered(await anyio.to_thread.run_sync(self._store.get_many, part))

    # What is under way

    async def _hold_budget_of_earlier_batches(self) -> None:
        """Set aside what batches of this job may cost that an earlier run has left under way."""
        for call, usd in (await self._track.give_up_unrecorded()).items():
            held = self._reservations.pop(call) if call in self._reservations else self._ledger.hold(usd)
            self._ledger.forfeit(held)
        for call, usd in (await self._track.most_usd()).items():
            if call not in self._reservations:
                self._reservations[call] = self._ledger.hold(usd, share=BATCH_SHARE)

    async def _take_in_forgotten_batches(self, run: OpenRequests) -> None:
        """Batches of this job that nobody waits for any more: another job read them, or the question is another now.
        And those of any job that the service keeps no longer."""
        for entry in await self._track.entries():
            if entry.batch_id is None:
                continue
            if entry.job == self._track.job and run.open.keys().isdisjoint(await self._track.keys(entry)):
                batch = await self._track.look_up(entry)
                if batch is None or batch.ended:
                    await self._take_in_batch(run, entry, batch)
            elif self._is_old(entry) and await self._track.look_up(entry) is None:
                await self._take_in_batch(run, entry, None)

    def _is_old(self, entry: Entry) -> bool:
        # A clock that is wrong costs a look at the service, no more.
        return time.time() - entry.created_at > KEPT_SECONDS

    async def _batches_under_way(self, run: OpenRequests) -> tuple[list[Entry], list[str]]:
        """The batches that hold some of what is open, and the keys that are in none."""
        holding, unsent = [], dict.fromkeys(run.open)
        for entry in await self._track.entries():
            keys = [key for key in await self._track.keys(entry) if key in run.open] if entry.batch_id else []
            if keys:
                holding.append(entry)
                self._reserve_budget_again(entry, map(run.most, keys))
            for key in keys:
                unsent.pop(key, None)
        return holding, list(unsent)

    def _reserve_budget_again(self, entry: Entry, most: Iterable[Usage]) -> None:
        """Of another job's batch: who reads it first is billed for it."""
        if entry.intention in self._reservations:
            return
        try:
            self._reservations[entry.intention] = self._ledger.reserve(*most, share=BATCH_SHARE)
        except BudgetReachedError:
            return  # it is submitted and will be billed; the cap holds for all that comes after

    async def _take_in_batch(self, run: OpenRequests, entry: Entry, batch: Batch | None) -> None:
        """Store what a batch came to, and open for another try what nobody worked on."""
        keys = await self._track.keys(entry)
        if batch is None:
            self._emit(Notice(f"batch {entry.batch_id} is not there any more: its texts are sent again"))
            outcomes: dict[str, Outcome] = {}
        else:
            names = {entry.custom_id(key): key for key in keys}
            outcomes = await self._retry.call(
                functools.partial(self._collector.book_results, batch.id, names, run.close_answered)
            )
        reservation = self._reservations.pop(entry.intention, None)
        if batch is not None or entry.job != self._track.job:
            if reservation is not None:
                self._ledger.release(reservation)
        elif reservation is not None:
            self._ledger.forfeit(reservation)
        await (self._track.give_up(entry) if batch is None else self._track.strike_out(entry))
        fatal: LlmError | None = None
        for key in keys:
            if key in run.open:
                fatal = self._judge_outcome(run, entry, key, outcomes.get(key)) or fatal
        if fatal is not None:
            raise fatal

    def _judge_outcome(self, run: OpenRequests, entry: Entry, key: str, outcome: Outcome | None) -> LlmError | None:
        """What an outcome without a reply means for a request that was sent in a batch; an error that no other request
        would be spared."""
        error = outcome.error if outcome is not None else None
        if isinstance(error, RowRejectedError) and not self._service.adapt(error):
            run.close_failed(key, error)
        elif isinstance(error, AccountError | SpendCapError):
            return error
        elif outcome is not None and outcome.cancelled and not entry.cancelled:
            run.close_failed(key, RowRejectedError(f"batch {entry.batch_id} was cancelled, though not by this job"))
        else:
            run.tries[key] += 1
            if run.tries[key] >= self._rules.most_tries:
                run.close_failed(
                    key, error or TransientError("the time of its batch was over before its turn, several times")
                )
        return None

    # Submitting

    async def _submit_batches(self, run: OpenRequests, keys: list[str], *, is_waiting: bool) -> list[Entry]:
        """Batches of as many of these requests as rules and budget allow, and as the service takes at a time: the
        others have their turn when those under way have ended, of which there are some already where `is_waiting`."""
        from_rows, may_go_live = self._rules.from_rows, self._rules.may_go_live
        if from_rows is None or not self._permitted or len(keys) < max(1, from_rows):
            return []
        try:
            keys = await self._prove_with_live_row(run, keys)
        except BudgetReachedError as error:
            run.sent.budget_error = None if may_go_live else error
            return []
        # The most a request can cost is many times what it will: when the first batches are paid, more will fit. But a
        # day's wait for a handful of rows is not worth it.
        least = max(1, min(from_rows, len(keys)) if may_go_live else len(keys) // _LEAST_SHARE)
        fitting = self._ledger.affordable(map(run.most, keys), share=BATCH_SHARE) if self._ledger.capped else len(keys)
        if fitting < least:
            run.sent.budget_error = None if may_go_live else self._budget_refusal(map(run.most, keys[:least]))
            return []
        created: list[Entry] = []
        unsent = collections.deque(keys[:fitting])
        try:
            while unsent:
                created.append(await self._create_batch(self._next_batch_of_prompts(run, unsent)))
        except (AccountError, RowRejectedError) as error:
            if not may_go_live:
                raise
            self._permitted = False
            self._emit(Notice(f"batches cannot be used here, so rows are sent one by one: {error}"))
        except TransientError as error:
            if error.trouble != "queue_full" or not (created or is_waiting):
                raise
            self._emit(Notice(f"no more batches are taken for now, the rest is sent when these have ended: {error}"))
        return created

    async def _create_batch(self, part: Mapping[str, Prompt]) -> Entry:
        reservation = self._ledger.reserve(*map(call_ceiling, part.values()), share=BATCH_SHARE)
        try:
            entry = await self._track.create(part, most_usd=reservation.usd)
        except BaseException as error:
            # After any other transient failure it may have been taken: what it can cost stays set aside.
            if not isinstance(error, TransientError) or error.trouble == "queue_full":
                self._ledger.release(reservation)
            raise
        self._reservations[entry.intention] = reservation
        return entry

    def _budget_refusal(self, most: Iterable[Usage]) -> BudgetReachedError | None:
        try:
            self._ledger.release(self._ledger.reserve(*most, share=BATCH_SHARE))
        except BudgetReachedError as error:
            return error
        return None

    async def _prove_with_live_row(self, run: OpenRequests, keys: list[str]) -> list[str]:
        """Ask one row live: it shows at once what a batch would show in an hour, and warms the provider's cache."""
        failed = 0
        while keys and not self._proven:
            key, *keys = keys
            error = await run.order.try_live(key)
            del run.open[key]
            self._proven = error is None
            failed += 1
            if error is not None and failed == _PROBES:
                raise error
        return keys

    def _next_batch_of_prompts(self, run: OpenRequests, unsent: collections.deque[str]) -> dict[str, Prompt]:
        """The prompts of one batch, taken from the front of what is not sent yet."""
        part: dict[str, Prompt] = {}
        size_bytes = 0
        while unsent and len(part) < self._rules.most_requests:
            prompt = run.order.prompt(unsent[0])
            size_bytes += self._service.size_bytes(prompt)
            if part and size_bytes > self._rules.most_bytes:
                break
            part[unsent.popleft()] = prompt
        return part
