"""Many prompts through a provider's batch service: half the price, answers within a day, nothing submitted twice.

The order of things is what makes it safe. A row of the record (freeal/llm/batches/batch_journal.py) says what is in a
batch before it is created, and its id after; results go into the answer store before the row is struck out. So after a
stop or a kill the next run finds what is under way, waits for it and reads it; a batch whose id was never noted is
looked for (freeal/llm/batches/lost_batch_search.py) before anything is submitted."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import anyio.to_thread

from freeal.errors import AccountError, BudgetReachedError, LlmError, RowRejectedError, SpendCapError, TransientError
from freeal.events import Emit, Notice
from freeal.llm.batches.batch_journal import KEPT_SECONDS, Entry
from freeal.llm.batches.batch_service import Batch, BatchService, Outcome
from freeal.llm.batches.batch_tracking import Track
from freeal.llm.batches.book_batch_results import Collector
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import OnAnswered, Sent, TryLive
from freeal.llm.store.answer_store import AnswerStore
from freeal.money.budget_ledger import Ledger, Reservation
from freeal.money.call_ceiling import ceiling
from freeal.money.prices import BATCH_SHARE
from freeal.types import Prompt, Reply, Status

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


class _Run:
    """One `send`: what is still open of it, and what came of the rest."""

    def __init__(self, prompts: Mapping[str, Prompt], on_answered: OnAnswered, try_live: TryLive) -> None:
        self.open = dict(prompts)
        self.try_live = try_live
        self.sent = Sent()
        self.tries: collections.Counter[str] = collections.Counter()
        self._on_answered = on_answered

    def answer(self, replies: Mapping[str, Reply]) -> None:
        done = {key: reply for key, reply in replies.items() if self.open.pop(key, None) is not None}
        self.sent.replies.update(done)
        self._on_answered(list(done))

    def fail(self, key: str, error: LlmError) -> None:
        del self.open[key]
        self.sent.failures[key] = Status.API_ERROR
        self.sent.last_failure = error
        self._on_answered([key])


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

    async def send(self, prompts: Mapping[str, Prompt], on_answered: OnAnswered, try_live: TryLive) -> Sent:
        """What could be answered in batches. Requests in a batch that is under way, of whatever job, wait for it."""
        run = _Run(prompts, on_answered, try_live)
        await self._track.find_lost()
        await self._hold_again()
        await self._take_in_forgotten(run)
        while run.open:
            # Another job may have read a batch that both of them need.
            run.answer(await anyio.to_thread.run_sync(self._store.get_many, list(run.open)))
            under_way = await self._holding(run.open)
            held = {key for keys in under_way.values() for key in keys}
            new = await self._submit(run, [key for key in run.open if key not in held])
            if not under_way and not new:
                break
            async with contextlib.aclosing(self._track.ended([*under_way, *new])) as ended:
                async for entry, batch in ended:
                    await self._take_in(run, entry, batch)
        run.sent.left = list(run.open)
        return run.sent

    # What is under way

    async def _hold_again(self) -> None:
        """Set aside what batches of this job may cost that an earlier run has left under way."""
        for call, usd in (await self._track.give_up_unrecorded()).items():
            held = self._reservations.pop(call) if call in self._reservations else self._ledger.hold(usd)
            self._ledger.forfeit(held)
        for call, usd in (await self._track.most_usd()).items():
            if call not in self._reservations:
                self._reservations[call] = self._ledger.hold(usd, share=BATCH_SHARE)

    async def _take_in_forgotten(self, run: _Run) -> None:
        """Batches of this job that nobody waits for any more: another job read them, or the question is another now.
        And those of any job that the service keeps no longer."""
        for entry in await self._track.entries():
            if entry.batch_id is None:
                continue
            if entry.job == self._track.job and run.open.keys().isdisjoint(await self._track.keys(entry)):
                batch = await self._track.look_up(entry)
                if batch is None or batch.ended:
                    await self._take_in(run, entry, batch)
            elif self._is_old(entry) and await self._track.look_up(entry) is None:
                await self._take_in(run, entry, None)

    def _is_old(self, entry: Entry) -> bool:
        # A clock that is wrong costs a look at the service, no more.
        return time.time() - entry.created_at > KEPT_SECONDS

    async def _holding(self, wanted: Mapping[str, Prompt]) -> dict[Entry, list[str]]:
        """The batches that hold some of the wanted requests, with those."""
        holding = {}
        for entry in await self._track.entries():
            keys = [key for key in await self._track.keys(entry) if key in wanted] if entry.batch_id else []
            if keys:
                holding[entry] = keys
                self._reserve_again(entry, [wanted[key] for key in keys])
        return holding

    def _reserve_again(self, entry: Entry, prompts: Sequence[Prompt]) -> None:
        """Of another job's batch: who reads it first is billed for it."""
        if entry.intention in self._reservations:
            return
        try:
            self._reservations[entry.intention] = self._ledger.reserve(*map(ceiling, prompts), share=BATCH_SHARE)
        except BudgetReachedError:
            return  # it is submitted and will be billed; the cap holds for all that comes after

    async def _take_in(self, run: _Run, entry: Entry, batch: Batch | None) -> None:
        """Store what a batch came to, and open for another try what nobody worked on."""
        keys = await self._track.keys(entry)
        if batch is None:
            self._emit(Notice(f"batch {entry.batch_id} is not there any more: its texts are sent again"))
            outcomes: dict[str, Outcome] = {}
        else:
            names = {entry.custom_id(key): key for key in keys}
            outcomes = await self._retry.call(functools.partial(self._collector.collect, batch.id, names, run.answer))
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
                fatal = self._judge(run, entry, key, outcomes.get(key)) or fatal
        if fatal is not None:
            raise fatal

    def _judge(self, run: _Run, entry: Entry, key: str, outcome: Outcome | None) -> LlmError | None:
        """What an outcome without a reply means for its request; an error that no other request would be spared."""
        error = outcome.error if outcome is not None else None
        if isinstance(error, RowRejectedError) and not self._service.adapt(error):
            run.fail(key, error)
        elif isinstance(error, AccountError | SpendCapError):
            return error
        elif outcome is not None and outcome.cancelled and not entry.cancelled:
            run.fail(key, RowRejectedError(f"batch {entry.batch_id} was cancelled, though not by this job"))
        else:
            run.tries[key] += 1
            if run.tries[key] >= self._rules.most_tries:
                run.fail(key, error or TransientError("the time of its batch was over before its turn, several times"))
        return None

    # Submitting

    async def _submit(self, run: _Run, keys: list[str]) -> list[Entry]:
        """Batches of as many of these requests as rules and budget allow."""
        from_rows, may_go_live = self._rules.from_rows, self._rules.may_go_live
        if from_rows is None or not self._permitted or len(keys) < max(1, from_rows):
            return []
        try:
            keys = await self._prove(run, keys)
        except BudgetReachedError as error:
            run.sent.budget_error = None if may_go_live else error
            return []
        # The most a request can cost is many times what it will: when the first batches are paid, more will fit. But a
        # day's wait for a handful of rows is not worth it.
        least = max(1, min(from_rows, len(keys)) if may_go_live else len(keys) // _LEAST_SHARE)
        fitting = self._ledger.affordable((ceiling(run.open[key]) for key in keys), share=BATCH_SHARE)
        if fitting < least:
            run.sent.budget_error = None if may_go_live else self._refusal(run.open[key] for key in keys[:least])
            return []
        created: list[Entry] = []
        try:
            for part in self._parts(run.open, keys[:fitting]):
                created += [await self._create(part)]
        except (AccountError, RowRejectedError) as error:
            if not may_go_live:
                raise
            self._permitted = False
            self._emit(Notice(f"batches cannot be used here, so rows are sent one by one: {error}"))
        return created

    async def _create(self, part: Mapping[str, Prompt]) -> Entry:
        reservation = self._ledger.reserve(*map(ceiling, part.values()), share=BATCH_SHARE)
        try:
            entry = await self._track.create(part, most_usd=reservation.usd)
        except TransientError:
            raise  # it may have been taken: what it can cost stays set aside
        except BaseException:
            self._ledger.release(reservation)
            raise
        self._reservations[entry.intention] = reservation
        return entry

    def _refusal(self, prompts: Iterable[Prompt]) -> BudgetReachedError | None:
        try:
            self._ledger.release(self._ledger.reserve(*map(ceiling, prompts), share=BATCH_SHARE))
        except BudgetReachedError as error:
            return error
        return None

    async def _prove(self, run: _Run, keys: list[str]) -> list[str]:
        """Ask one row live: it shows at once what a batch would show in an hour, and warms the provider's cache."""
        failed = 0
        while keys and not self._proven:
            key, *keys = keys
            error = await run.try_live(key)
            del run.open[key]
            self._proven = error is None
            failed += 1
            if error is not None and failed == _PROBES:
                raise error
        return keys

    def _parts(self, prompts: Mapping[str, Prompt], keys: Sequence[str]) -> Iterator[dict[str, Prompt]]:
        part: dict[str, Prompt] = {}
        size_bytes = 0
        for key in keys:
            more_bytes = self._service.size_bytes(prompts[key])
            if part and (len(part) == self._rules.most_requests or size_bytes + more_bytes > self._rules.most_bytes):
                yield part
                part, size_bytes = {}, 0
            part[key] = prompts[key]
            size_bytes += more_bytes
        if part:
            yield part
