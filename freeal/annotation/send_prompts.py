"""Prompts in, replies out: the answer store first, then the model, within the budget, a few calls at a time.

Of a million prompts only the keys are held. What the store knows is handed on a part at a time. Prompts are written for
one batch (freeal/llm/batches/send_in_batches.py), or for a worker that is free, and forgotten; their replies are stored
and handed on as they come, so that a round takes the same memory beside its keys and answers, whatever its size.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Mapping

import anyio
import anyio.to_thread

from freeal.annotation.failure_streak import FailureStreak
from freeal.annotation.output_room import OutputRoom
from freeal.annotation.send_prompts_state import Asked, OnReply, Run
from freeal.annotation.usable_reply import KnownReplies, is_usable_reply
from freeal.errors import BudgetReachedError, LlmError, RowRejectedError, TransientError
from freeal.events import Emit, Notice, Spend
from freeal.llm.protocols import BatchOrder, BatchSender, ChatModel, LosesReplies, OnAnswered
from freeal.llm.store.answer_store import KEYS_AT_ONCE, AnswerStore
from freeal.llm.store.bill_records import OpenCall
from freeal.llm.store.unwritten_answers import Keeper
from freeal.money.budget_ledger import Ledger, Reservation
from freeal.money.call_ceiling import call_ceiling
from freeal.types import Prompt, Reply, Status

CACHEABLE_CHARACTERS = 1_500
"""A shared prefix from this length on is worth caching: providers begin at 512 tokens."""


class Asker:
    """Sends prompts to one model for one job: through `batches` what that takes, one call after the other what is left.

    Replies are stored before anyone sees them. One that is of no use is no answer: a later run asks again, this one
    does not, but for more room where an answer was cut off. A request the server rejects, or that still fails after the
    model's own retries, is that key's `API_ERROR`; too many of them in a row (freeal/annotation/failure_streak.py), or
    nothing but such calls, end the job with the last error. Account and spend errors stop new calls, let those under
    way finish (they are paid for) and are raised plain.

    A reply that was lost on the way may have been billed: the most it can have cost counts against the cap, as a figure
    of its own, and its request is sent again only where the budget has room for both. So may one that a kill lost: each
    call is written down in the store before it goes, with the most it can cost.
    """

    def __init__(
        self,
        model: ChatModel,
        store: AnswerStore,
        ledger: Ledger,
        emit: Emit,
        *,
        batches: BatchSender | None = None,
    ) -> None:
        self._model = model
        self._batches = batches
        self._ledger = ledger
        self._emit = emit
        self._keeper = Keeper(store)
        self._streak = FailureStreak()
        self._lost_replies, self._has_sent = 0, False
        self._room = OutputRoom(emit)
        self._known = KnownReplies(store)
        self.budget_reached = False
        """Whether money left anything unsent, in any `ask` so far."""
        if isinstance(model, LosesReplies):
            model.report_lost_to(self._pay_for_lost)

    async def ask(
        self, prompts: Mapping[str, Prompt], on_answered: OnAnswered, on_reply: OnReply | None = None
    ) -> Asked:
        """Replies for `prompts` (request key -> prompt), each asked at most once: handed to `on_reply` as they come, or
        all of them in the result where nobody takes them. A prompt is looked up whenever it is needed."""
        asked = Asked()
        run = Run(prompts, on_answered, on_reply or asked.keep, asked)
        await self._answer_from_store(run)
        if self._batches is not None and run.waiting:
            await self._send_through_batches(self._batches, run)
        elif self._batches is not None and not self._has_sent:
            await self._read_leftovers(self._batches, run)
        self._has_sent = True
        if run.fatal is None and run.budget_error is None:
            await self._send_live(run)
        self._finish_sending(run)
        return asked

    async def replace(self, better: Mapping[str, str]) -> None:
        """Keep the replies to other keys, which the store has already, as the answers to these (key -> the other)."""
        await anyio.to_thread.run_sync(self._known.reuse_usable_replies, better)

    async def _answer_from_store(self, run: Run) -> None:
        """Hand on what the store can answer; the others wait."""
        keys = list(run.prompts)
        for start in range(0, max(1, len(keys)), KEYS_AT_ONCE):
            part = keys[start : start + KEYS_AT_ONCE]
            known = await anyio.to_thread.run_sync(self._known.usable_replies_among, part, run.prompts)
            self._streak.ever_answered |= bool(known)
            for key, reply in known.items():
                run.on_reply(key, reply, from_store=True)
            run.on_answered(list(known))
            run.waiting.extend(key for key in part if key not in known)
        if self._model.rows_per_call > 1:
            # Rows of like length share a call without padding.
            run.waiting = collections.deque(sorted(run.waiting, key=lambda key: len(run.prompts[key].specific)))

    async def _send_through_batches(self, batches: BatchSender, run: Run) -> None:
        order = self._batch_order(run)
        run.waiting.clear()
        try:
            sent = await batches.send(order)
        except LlmError as error:
            run.fatal = error
            return
        run.asked.failures |= sent.failures
        run.last_failure, run.budget_error = sent.last_failure or run.last_failure, sent.budget_error
        run.waiting.extend(sent.left)

    def _batch_order(self, run: Run) -> BatchOrder:
        return BatchOrder(
            keys=tuple(run.waiting),
            prompt=lambda key: self._room.given(run.prompts[key]),
            on_reply=lambda key, reply: self._take_replies(
                run, {key: reply}, {key: self._room.room_needed(reply, run.prompts[key])}
            ),
            on_answered=lambda keys: run.on_answered([key for key in keys if key not in run.cut_off]),
            try_live=functools.partial(self._try_live, run),
        )

    async def _read_leftovers(self, batches: BatchSender, run: Run) -> None:
        """All answers are there, but a kill may have come before a batch they came in was struck out of the books."""
        try:
            await batches.send(self._batch_order(run))
        except LlmError as error:  # the job needs nothing of it: the next run tries again
            self._emit(Notice(f"a batch of an earlier run cannot be struck out of the books yet: {error}"))

    async def _try_live(self, run: Run, key: str) -> LlmError | None:
        await self._send_prompts(run, [key])
        if run.fatal is not None:
            raise run.fatal
        return run.last_failure if key in run.asked.failures else None

    async def _send_live(self, run: Run) -> None:
        if self._caching_pays(run):
            await self._call_next(run)
        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(self._model.concurrency, len(run.waiting))):
                    group.start_soon(self._work, run)
        except BaseExceptionGroup as failed:
            raise _first_leaf(failed) from None

    def _caching_pays(self, run: Run) -> bool:
        """Whether one request should go ahead alone, so that the others find its prefix in the provider's cache."""
        if self._ledger.free or len(run.waiting) < 2:
            return False
        first, last = (run.prompts[run.waiting[position]] for position in (0, -1))
        return first.shared == last.shared and len(first.system) + len(first.shared) >= CACHEABLE_CHARACTERS

    async def _work(self, run: Run) -> None:
        while run.waiting and run.fatal is None:
            if not await self._call_next(run):
                return

    async def _call_next(self, run: Run) -> bool:
        """Make the next call. False when the budget does not allow it while others are under way or at all."""
        keys = [run.waiting.popleft() for _ in range(min(self._model.rows_per_call, len(run.waiting)))]
        try:
            await self._send_prompts(run, keys)
        except BudgetReachedError as error:
            # Another worker may still take it: calls under way settle for less than they reserved.
            run.waiting.extendleft(reversed(keys))
            run.budget_error = error
            return False
        return True

    async def _send_prompts(self, run: Run, keys: list[str]) -> None:
        """Write the prompts of these keys and have them answered in one call. Raises `BudgetReachedError`."""
        prompts = {key: self._room.given(run.prompts[key]) for key in keys}
        reservation = self._ledger.reserve(*map(call_ceiling, prompts.values()))
        replies = await self._replies_of_model(run, prompts, reservation)
        if replies is not None:
            self._take_replies(run, replies, prompts)
        run.on_answered([key for key in keys if key not in run.cut_off])

    def _take_replies(self, run: Run, replies: Mapping[str, Reply], prompts: Mapping[str, Prompt]) -> None:
        """Hand replies to `prompts`, as they were asked, on; and what they mean for those to come."""
        self._streak.answered()
        for key, reply in replies.items():
            run.on_reply(key, reply, from_store=False)
            run.cut_off.discard(key)
            is_usable = is_usable_reply(reply, prompts[key])
            if not is_usable:
                self._known.useless_here.add(key)
            if not is_usable and self._room.widen_room(reply, prompts[key], run.prompts[key]):
                run.cut_off.add(key)
                run.waiting.append(key)
            else:
                run.fatal = run.fatal or self._streak.judge_reply(reply, prompts[key], is_usable=is_usable)

    async def _replies_of_model(
        self, run: Run, prompts: Mapping[str, Prompt], reservation: Reservation
    ) -> dict[str, Reply] | None:
        keys = list(prompts)
        call = OpenCall(reservation.usd)
        try:
            await self._keeper.open(call)
            replies = await self._model.answer(list(prompts.values()))
        except (RowRejectedError, TransientError) as error:
            if isinstance(error, TransientError) and error.trouble == "lost_reply":
                await self._forfeit(reservation, call)
            else:
                await self._release(reservation, call)
            if not self._had_too_much_room(run, prompts, error):
                self._count_failure(run, keys, error)
            return None
        except LlmError as error:
            await self._release(reservation, call)
            run.fatal = run.fatal or error
            run.asked.failures.update(dict.fromkeys(keys, Status.API_ERROR))
            return None
        except anyio.get_cancelled_exc_class():  # a call that was sent is waited for: this one never was
            await self._release(reservation, call)
            raise
        except Exception:  # a lost reply that there is no money to ask for again, or nobody knows what it cost
            await self._forfeit(reservation, call)
            raise
        bill = self._ledger.settle(reservation, *(reply.usage for reply in replies))
        answered = dict(zip(keys, replies, strict=True))
        await self._keeper.keep(answered, bill, call=call)
        return answered

    async def _release(self, reservation: Reservation, call: OpenCall) -> None:
        self._ledger.release(reservation)
        await self._keeper.strike_out(call)

    async def _pay_for_lost(self, prompt: Prompt) -> None:
        """Before a request is sent again: its reservation is for the new attempt, the lost one needs its own."""
        await self._forfeit(self._ledger.reserve(call_ceiling(prompt)))

    async def _forfeit(self, reservation: Reservation, call: OpenCall | None = None) -> None:
        self._lost_replies += 1
        await self._keeper.keep({}, self._ledger.forfeit(reservation), call=call)

    def _had_too_much_room(self, run: Run, prompts: Mapping[str, Prompt], error: LlmError) -> bool:
        """Whether a request was refused for its room alone. One that was cut off before stays so, others come again."""
        if not isinstance(error, RowRejectedError) or len(prompts) > 1:
            return False
        [(key, asked)] = prompts.items()
        if not self._room.narrow_room_if_refused(error, asked, run.prompts[key]):
            return False
        if key in run.cut_off:
            run.cut_off.discard(key)
        else:
            run.cut_off.add(key)
            run.waiting.append(key)
        return True

    def _count_failure(self, run: Run, keys: list[str], error: RowRejectedError | TransientError) -> None:
        run.asked.failures.update(dict.fromkeys(keys, Status.API_ERROR))
        run.last_failure = error
        if self._streak.count_failure(error):
            run.fatal = run.fatal or error

    def _finish_sending(self, run: Run) -> None:
        left = [key for key in run.waiting if key not in run.cut_off]
        if run.fatal is None and run.last_failure is not None and not self._streak.ever_answered and not left:
            run.fatal = run.last_failure
        if run.fatal is not None:
            self.report_spend()
            raise run.fatal
        if left:
            self.budget_reached = True
            run.asked.failures.update(dict.fromkeys(left, Status.BUDGET))
            run.asked.budget_error = run.budget_error
            run.on_answered(list(run.waiting))
            self._emit(Notice(f"{len(left):,} texts were not sent: {run.budget_error}"))
        if run.last_failure is not None:
            count = sum(status is Status.API_ERROR for status in run.asked.failures.values())
            self._emit(Notice(f"{count:,} texts got no answer; the last reason: {run.last_failure}"))
        if self._lost_replies:
            most = f"up to {self._ledger.unconfirmed_usd:.4f} USD may have been billed for what was lost so far"
            self._emit(Notice(f"{self._lost_replies:,} answers were lost on the way; {most}"))
            self._lost_replies = 0
        self.report_spend()

    def report_spend(self) -> None:
        """Tell the listener the ledger's totals."""
        used = self._ledger.usage
        tokens = (used.input_tokens, used.cached_tokens, used.output_tokens)
        self._emit(Spend(self._ledger.usd, used.calls, *tokens, self._ledger.unconfirmed_usd))


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
