"""freeal/annotation/send_prompts.py: which prompts are sent, when, and what their failures mean."""

from __future__ import annotations

import collections
from collections.abc import Mapping

import anyio
import pytest

from freeal.annotation.send_prompts import Asker
from freeal.errors import AccountError, BudgetReachedError, RowRejectedError, SpendCapError, TransientError
from freeal.events import Notice, Spend
from freeal.llm.store.answer_store import KEYS_AT_ONCE, MemoryStore
from freeal.money.budget_ledger import Ledger
from freeal.money.call_ceiling import call_ceiling
from freeal.money.prices import FREE, cost_usd
from freeal.settings import Price
from freeal.testing.scripted_model import ScriptedModel
from freeal.types import Bill, Prompt, Reply, Status, Usage

pytestmark = pytest.mark.anyio

PRICE = Price(input=1.0, output=5.0, cached_input=0.1)


class Job:
    """An asker with everything around it, in memory; a prompt's key is its row."""

    def __init__(self, respond=lambda _: "good", *, price=FREE, budget_usd=None, store=None, **options):
        self.model = ScriptedModel(respond, **options)
        self.store = store or MemoryStore()
        self.ledger = Ledger(price, budget_usd)
        self.events = []
        self.done = []
        self.asker = Asker(self.model, self.store, self.ledger, self.events.append)

    async def ask(self, *texts, shared=""):
        prompts = {text: Prompt("system", shared, text, ("good", "bad")) for text in texts}
        return await self.asker.ask(prompts, self.done.extend)

    def notices(self):
        return [event.message for event in self.events if isinstance(event, Notice)]


async def test_answers_are_kept_although_the_job_fails():
    """What was answered before an account error is in the store."""
    answers = iter(["good", "bad", AccountError("key revoked")])
    job = Job(lambda _: next(answers), concurrency=1)
    with pytest.raises(AccountError, match="key revoked"):
        await job.ask("a", "b", "c", "d")
    again = Job(store=job.store)
    asked = await again.ask("a", "b", "c", "d")
    assert {"a", "b"} == asked.from_store
    assert {"a", "b", "c", "d"} == set(asked.replies) == set(again.done)


@pytest.mark.parametrize("error", [AccountError("no"), SpendCapError("no")])
async def test_job_wide_errors_come_out_plain(error):
    """Not wrapped in a group, and no further row is sent after the ones under way."""
    job = Job(lambda _: error, concurrency=3)
    with pytest.raises(type(error)):
        await job.ask(*(f"t{n}" for n in range(50)))
    assert 3 >= len(job.model.prompts)


async def test_a_bug_in_a_model_comes_out_plain():
    """An unexpected exception is itself, not an exception group."""
    with pytest.raises(ZeroDivisionError):
        await Job(lambda _: ZeroDivisionError("bug")).ask("a", "b", "c")


async def test_when_everything_fails_the_job_fails():
    """Twenty failures without one answer are enough; so are all of fewer rows."""
    job = Job(lambda _: RowRejectedError("bad schema"), concurrency=1)
    with pytest.raises(RowRejectedError, match="bad schema"):
        await job.ask(*(f"t{n}" for n in range(100)))
    assert 20 == len(job.model.prompts)
    with pytest.raises(TransientError):
        await Job(lambda _: TransientError("down")).ask("a", "b")


async def test_an_outage_in_the_middle_ends_the_job():
    """Twenty transient failures in a row mean the server is gone, also after a good start."""
    job = Job(lambda prompt: "good" if "first" in prompt.specific else TransientError("down"), concurrency=1)
    with pytest.raises(TransientError):
        await job.ask("first", *(f"t{n}" for n in range(100)))
    assert 21 == len(job.model.prompts)


async def test_scattered_failures_do_not_end_the_job():
    """Only an unbroken row of failures is an outage."""
    answers = iter(["good", TransientError("busy")] * 50)
    job = Job(lambda _: next(answers), concurrency=1)
    asked = await job.ask(*(f"t{n}" for n in range(100)))
    assert (50, 50) == (len(asked.replies), len(asked.failures))
    assert ["50 texts got no answer; the last reason: busy"] == job.notices()


async def test_rejected_rows_in_a_row_are_only_rows():
    """A stretch of rows rejected each for itself, after others were answered, does not end the job."""

    def respond(prompt):
        too_long = RowRejectedError(f"the prompt is too long: {len(prompt.specific)} tokens")
        return too_long if "odd" in prompt.specific else "good"

    job = Job(respond, concurrency=1)
    asked = await job.ask("first", *(f"odd {n}" for n in range(40)), "last")
    assert {f"odd {n}": Status.API_ERROR for n in range(40)} == asked.failures
    assert {"first", "last"} == set(asked.replies)


async def test_equal_refusals_in_a_row_are_one_cause():
    """Whenever they begin, and whatever ids and counts are in them: no row is to blame, so the job ends."""

    def respond(prompt):
        if "odd" not in prompt.specific:
            return "good"
        return RowRejectedError(f"no more of that, request req_{abs(hash(prompt.specific))}")

    job = Job(respond, concurrency=1)
    with pytest.raises(RowRejectedError, match="no more of that"):
        await job.ask(*(f"t{n}" for n in range(10)), *(f"odd {n}" for n in range(40)))
    assert 30 == len(job.model.prompts)


async def test_the_budget_is_never_passed():
    """Rows that no longer fit are marked, one notice says so, and what was spent stays under the cap."""
    used = Usage(1, 500, 0, 20)
    probe = Job(lambda _: Reply("good", usage=used), price=PRICE)
    await probe.ask("t0")
    most_usd = cost_usd(call_ceiling(probe.model.prompts[0]), PRICE)
    cap_usd = most_usd + 3 * cost_usd(used, PRICE)
    job = Job(lambda _: Reply("good", usage=used), price=PRICE, budget_usd=cap_usd, concurrency=4)
    asked = await job.ask(*(f"t{n}" for n in range(10)))
    assert 4 == len(asked.replies)
    assert [Status.BUDGET] * 6 == list(asked.failures.values())
    assert job.ledger.usd <= cap_usd
    assert 0.0 == job.ledger.reserved_usd
    assert 1 == len(job.notices())


async def test_a_budget_of_nothing_asks_nothing():
    """No call at all, every row marked."""
    job = Job(price=PRICE, budget_usd=0.0)
    assert {"a": Status.BUDGET, "b": Status.BUDGET} == (await job.ask("a", "b")).failures
    assert [] == job.model.calls


async def test_rows_are_batched_by_length():
    """A model in memory gets full calls of rows of like length."""
    job = Job(rows_per_call=2, concurrency=1)
    await job.ask("x" * 50, "y", "z" * 49, "w" * 2, "v" * 51)
    assert [[1, 2], [49, 50], [51]] == [[len(p.specific) for p in call] for call in job.model.calls]


async def test_concurrency_is_bounded():
    """Never more calls under way than the model allows, and not fewer when there is work."""
    job = Job(concurrency=3)
    await job.ask(*(f"t{n}" for n in range(30)))
    assert 3 == job.model.most_under_way


async def test_one_request_goes_ahead_where_a_prefix_can_be_cached():
    """With a long shared prefix the paid model is asked once alone; a free model is not held up."""
    under_way_at = []
    for price in (PRICE, FREE):
        job = Job(price=price, concurrency=5)
        respond = job.model.respond
        job.model.respond = lambda prompt, model=job.model, respond=respond: (
            under_way_at.append(model.under_way) or respond(prompt)
        )
        await job.ask(*(f"t{n}" for n in range(5)), shared="long " * 400)
    assert 1 == under_way_at[0]
    assert 1 < under_way_at[1]
    assert 1 < under_way_at[5]


async def test_a_cancelled_job_keeps_what_it_paid_for():
    """Cancelling while others wait loses no answer that had arrived."""
    job = Job(price=PRICE, concurrency=1)
    inner = job.model.respond

    def stop_after_three(prompt):
        if len(job.model.calls) == 3:
            scope.cancel()
        return inner(prompt)

    job.model.respond = stop_after_three
    with anyio.CancelScope() as scope:
        await job.ask(*(f"t{n}" for n in range(10)))
    assert scope.cancelled_caught
    assert job.ledger.usage.calls == len(job.store) == 3
    assert 0.0 == job.ledger.reserved_usd


class Lossy(ScriptedModel):
    """A scripted model over a network that breaks: `lost` says how many replies to each text are lost first."""

    def __init__(self, lost, *, tries=3, **options):
        super().__init__(lambda _: Reply("good", usage=Usage(1, 100, 0, 10)), **options)
        self.lost = collections.Counter(lost)
        self.sent = collections.Counter()
        self.tries = tries

    def report_lost_to(self, listener):
        self.listener = listener

    async def answer(self, prompts):
        [prompt] = prompts
        for attempt in range(self.tries):
            self.sent[prompt.specific] += 1
            if self.sent[prompt.specific] > self.lost[prompt.specific]:
                return await super().answer(prompts)
            if attempt + 1 < self.tries:
                await self.listener(prompt)
        raise TransientError("reset", trouble="lost_reply")


def lossy_job(lost, **options):
    job = Job(**options)
    job.model = Lossy(lost)
    job.asker = Asker(job.model, job.store, job.ledger, job.events.append)
    return job


def ceiling_usd(text):
    return cost_usd(call_ceiling(Prompt("system", "", text, ("good", "bad"))), PRICE)


async def test_a_lost_reply_may_have_been_billed():
    """Each counts as much as it can have cost, as a figure of its own in ledger, event, store and notice."""
    job = lossy_job({"a": 1, "b": 3}, price=PRICE, budget_usd=10.0)
    asked = await job.ask("a", "b", "c")
    assert ({"a", "c"}, {"b": Status.API_ERROR}) == (set(asked.replies), asked.failures)
    assert 4 * ceiling_usd("a") == pytest.approx(job.ledger.unconfirmed_usd)
    assert (2, 2 * cost_usd(Usage(1, 100, 0, 10), PRICE)) == (job.ledger.usage.calls, job.ledger.usd)
    assert 0.0 == job.ledger.reserved_usd
    assert job.ledger.unconfirmed_usd == pytest.approx(job.store.billed().unconfirmed_usd)
    [spend] = [event for event in job.events if isinstance(event, Spend)]
    assert (job.ledger.usd, job.ledger.unconfirmed_usd) == (spend.usd, spend.unconfirmed_usd)
    assert any("4 answers were lost on the way; up to" in notice for notice in job.notices())


async def test_lost_replies_never_pass_the_cap():
    """With room for two attempts there are two, though six are allowed and none was confirmed."""
    job = lossy_job({"a": 9}, price=PRICE, budget_usd=2.5 * ceiling_usd("a"))
    asked = await job.ask("a")
    assert {"a": Status.BUDGET} == asked.failures
    assert 2 == job.model.sent["a"]
    assert 2 * ceiling_usd("a") == pytest.approx(job.ledger.unconfirmed_usd)
    assert (0.0, 0.0) == (job.ledger.usd, job.ledger.reserved_usd)


async def test_what_an_earlier_run_may_have_been_billed_still_counts():
    """A resumed job does not get that money a second time."""
    first = lossy_job({"a": 9}, price=PRICE, budget_usd=2.5 * ceiling_usd("a"))
    await first.ask("a")
    spent = first.store.billed()
    with pytest.raises(BudgetReachedError):
        Ledger(PRICE, 2.5 * ceiling_usd("a"), spent=spent).reserve(call_ceiling(first_prompt("a")))
    assert 0 == Ledger(PRICE, 2.5 * ceiling_usd("a"), spent=spent).affordable([call_ceiling(first_prompt("a"))])


def first_prompt(text):
    return Prompt("system", "", text, ("good", "bad"))


async def test_a_call_is_written_down_before_it_goes_and_struck_out_when_it_is_back():
    """What the store knows while the server works is the most the call can cost; afterwards it is what it did cost."""
    seen = []

    def respond(prompt):
        seen.append(job.store.billed().unconfirmed_usd)
        return Reply("good", usage=Usage(1, 100, 0, 10))

    job = Job(respond, price=PRICE, concurrency=1)
    await job.ask("a", "b")
    assert [pytest.approx(ceiling_usd("a"))] * 2 == seen
    assert (job.ledger.usd, 0.0) == (job.store.billed().usd, job.store.billed().unconfirmed_usd)


@pytest.mark.parametrize(
    "error", [RowRejectedError("no"), AccountError("no"), SpendCapError("no"), TransientError("no")]
)
async def test_a_call_that_came_to_nothing_leaves_nothing_open(error):
    """Refused, it costs nothing, at once and for the next run."""
    job = Job(lambda _: error, price=PRICE)
    with pytest.raises(type(error)):
        await job.ask("a")
    assert Bill() == job.store.billed() == job.store.begin()


async def test_a_call_that_was_stopped_before_it_went_leaves_nothing_open():
    """A stop while it waits for its turn: the record goes with the reservation."""
    job = Job(price=PRICE)
    job.model.answer = _wait_for_ever
    with anyio.move_on_after(0.05):
        await job.ask("a")
    assert (Bill(), 0.0) == (job.store.billed(), job.ledger.reserved_usd)


async def _wait_for_ever(_):
    await anyio.sleep_forever()


async def test_a_failure_nobody_foresaw_may_have_been_billed():
    """A bug of a model's client after the answer came: the most the call can have cost is unconfirmed."""
    job = Job(lambda _: ZeroDivisionError("bug"), price=PRICE)
    with pytest.raises(ZeroDivisionError):
        await job.ask("a")
    assert pytest.approx(ceiling_usd("a")) == job.store.billed().unconfirmed_usd == job.ledger.unconfirmed_usd


async def test_what_costs_nothing_is_not_written_down():
    """A model in memory commits once per answer, not twice."""
    job = Job(concurrency=1)
    commits = []
    put_many = job.store.put_many
    job.store.put_many = lambda replies, **rest: (commits.append(rest["opened"]), put_many(replies, **rest))
    await job.ask("a", "b")
    assert [[], []] == commits


class LookedAt(Mapping):
    """Prompts that are written when they are looked at; `unsent` notes of each that is sent how many were ahead."""

    def __init__(self, texts):
        self.texts, self.seen, self.sent, self.unsent = texts, set(), set(), []

    def __getitem__(self, text):
        self.seen.add(text)
        return Prompt("system", "", text, ("good", "bad"))

    def __iter__(self):
        return iter(self.texts)

    def __len__(self):
        return len(self.texts)

    def respond(self, prompt):
        self.unsent.append(len(self.seen - self.sent))
        self.sent.add(prompt.specific)
        return "good"


async def test_a_prompt_is_written_when_a_call_is_free_for_it():
    """No more are written ahead than calls may be under way, and the last one, at which is looked for a common prefix;
    with a reply that somebody takes nothing of it is kept."""
    prompts, taken = LookedAt([f"t{n}" for n in range(200)]), {}
    job = Job(prompts.respond, price=PRICE, concurrency=3, remembers=False)
    asked = await job.asker.ask(prompts, job.done.extend, lambda key, reply, *, from_store: taken.update({key: reply}))
    assert set(prompts) == prompts.sent == set(taken) == set(job.done)
    assert 3 + 1 >= max(prompts.unsent)
    assert ({}, {}) == (asked.replies, asked.failures)


async def test_stored_replies_are_handed_on_a_part_at_a_time():
    """Of a resumed job too never all replies are in memory: the store is asked for some thousands of keys at once."""
    job = Job()
    keys = [f"t{n}" for n in range(KEYS_AT_ONCE + 1)]
    job.store.put_many(dict.fromkeys(keys, Reply("good")))
    asked_for, get_many = [], job.store.get_many
    job.store.get_many = lambda keys: asked_for.append(len(keys)) or get_many(keys)
    taken = collections.Counter()
    await job.asker.ask(LookedAt(keys), job.done.extend, lambda key, reply, *, from_store: taken.update([from_store]))
    assert [KEYS_AT_ONCE, 1] == asked_for
    assert ({True: len(keys)}, keys, []) == (taken, job.done, job.model.calls)
