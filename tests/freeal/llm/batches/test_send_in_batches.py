"""freeal/llm/batches/send_in_batches.py and its neighbours, against the Message Batches protocol on a real socket."""

from __future__ import annotations

import contextlib
import re
import sqlite3

import anyio
import anyio.lowlevel
import pytest

from freeal.annotation.prompts import label_prompt
from freeal.annotation.send_prompts import Asker
from freeal.errors import AccountError, TransientError
from freeal.events import BatchProgress, Notice
from freeal.llm.batches.anthropic_batches import AnthropicBatches
from freeal.llm.batches.batch_cancellation import cancel_batches_of_job
from freeal.llm.batches.batch_journal import BatchBook
from freeal.llm.batches.batch_tracking import Track
from freeal.llm.batches.send_in_batches import BatchSender, Rules
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.llm.store import store_maintenance
from freeal.llm.store.answer_store import SqliteStore, request_key
from freeal.money.budget_ledger import Ledger
from freeal.money.call_ceiling import call_ceiling
from freeal.money.prices import BATCH_SHARE, cost_usd
from freeal.settings import Price
from freeal.testing.scripted_model import text_of
from freeal.testing.server import BatchRules, MessagesServer
from freeal.types import Reply, Status

pytestmark = pytest.mark.anyio

PRICE = Price(input=1.0, output=5.0, cached_input=0.1)
MOST_USD = 0.01
ALWAYS = Rules(from_rows=1, may_go_live=False)


class KilledError(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


def by_keyword(text):
    return "positive" if "good" in text else "negative"


def row_of(params):
    return text_of(params["messages"][-1]["content"][-1]["text"])


class Bench:
    """The parts around a sender; `sender` builds a new one, as a new process would, on the same files."""

    def __init__(self, folder, key, retry, time, task):
        self.folder, self.key, self.retry, self.time, self.task = folder, key, retry, time, task
        self.events, self.done = [], []
        self.closing = contextlib.AsyncExitStack()
        self.store = SqliteStore(folder / "answers.sqlite", job="job-1")
        self.book = BatchBook(folder / "batches.sqlite")
        self.closing.callback(self.store.close)
        self.closing.callback(self.book.close)
        self.ledger = Ledger(PRICE, None)

    def prompts(self, *texts):
        """By request key."""
        prompts = [label_prompt(self.task, text, style="chat") for text in texts]
        return {request_key(prompt, "test"): prompt for prompt in prompts}

    def model(self, server):
        model = AnthropicModel(self.key, retry=self.retry, base_url=server.base_url)
        self.closing.push_async_callback(model.aclose)
        return model

    def track_to(self, server, *, job="job-1", service=AnthropicBatches):
        return self.track(service(self.model(server)), job=job)

    def track(self, service, *, job="job-1", sleep=None):
        store = self.store
        if job != "job-1":
            store = self.closing.enter_context(contextlib.closing(SqliteStore(self.folder / "answers.sqlite", job=job)))
        return Track(
            service,
            book=self.book,
            store=store,
            retry=self.retry,
            emit=self.events.append,
            job=job,
            sleep=sleep or self.time.sleep,
        )

    def sender(
        self, server, *, job="job-1", rules=ALWAYS, service=AnthropicBatches, sleep=None, budget_usd=None, store=None
    ):
        model = self.model(server)
        served = service(model)
        if budget_usd is not None:
            self.ledger = Ledger(PRICE, budget_usd)
        batches = BatchSender(
            served,
            self.track(served, job=job, sleep=sleep),
            store=store or self.store,
            ledger=self.ledger,
            retry=self.retry,
            emit=self.events.append,
            rules=rules,
        )
        return Asker(model, self.store, self.ledger, self.events.append, batches=batches)

    async def send(self, sender, prompts):
        return await sender.ask(prompts, self.done.extend)

    def notices(self):
        return [event.message for event in self.events if isinstance(event, Notice)]


@pytest.fixture
async def bench(tmp_path, key, retry, time, task):
    """Everything but the server."""
    built = Bench(tmp_path, key, retry, time, task)
    async with built.closing:
        yield built


TEXTS = [f"a {word} film, number {number}" for number in range(6) for word in ("good", "bad")]


def labels(replies, prompts):
    """text -> the label answered."""
    found = {key: re.search('"label": "(\\w+)"', reply.text).group(1) for key, reply in replies.items()}
    return {text_of(prompts[key].specific): label for key, label in found.items()}


async def test_every_row_is_answered_whatever_the_order_of_the_results(bench):
    """One goes live to try the request, the rest in one batch; each gets its own answer, which is in the store."""
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=3)) as server:
        prompts = bench.prompts(*TEXTS)
        sent = await bench.send(bench.sender(server), prompts)
    assert {text: by_keyword(text) for text in TEXTS} == labels(sent.replies, prompts)
    assert sent.replies == bench.store.get_many(prompts)
    assert ({}, sorted(prompts)) == (sent.failures, sorted(bench.done))
    assert (1, 1) == (len(server.requests), len(server.batches.created))
    assert [] == bench.book.open_entries()


async def test_the_bill_of_a_batch_is_half_the_price(bench):
    """What the server would bill is what the ledger counts and the store keeps; nothing stays reserved."""
    with MessagesServer(by_keyword) as server:
        await bench.send(bench.sender(server), bench.prompts(*TEXTS))
    assert pytest.approx(server.billed_usd(PRICE)) == bench.ledger.usd == bench.store.billed().usd
    assert server.billed + server.batch_billed == bench.ledger.usage
    assert 0.0 == bench.ledger.reserved_usd
    assert bench.ledger.usd < cost_usd(bench.ledger.usage, PRICE)


async def test_names_of_requests_are_what_the_api_allows_and_begin_with_the_intention(bench):
    """At most 64 letters, digits, hyphens: the server takes them, and a batch can be told by any of them."""
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        entry = await bench.track_to(server).create(bench.prompts(*TEXTS), most_usd=MOST_USD)
        names = list(server.batches.created[0].requests)
    assert len(TEXTS) == len(set(names))
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) and name.startswith(entry.intention) for name in names)


@pytest.mark.parametrize("limit", ["most_requests", "most_bytes"])
async def test_a_batch_is_split_where_it_would_be_too_large(bench, limit):
    """By number and by bytes as they are sent; all parts are under way together."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        service = AnthropicBatches(bench.model(server))
        most = 4 if limit == "most_requests" else 4 * max(map(service.size_bytes, prompts.values()))
        rules = Rules(from_rows=1, may_go_live=False, **{limit: most})
        sent = await bench.send(bench.sender(server, rules=rules), prompts)
        assert [4, 4, 3] == [len(batch.requests) for batch in server.batches.created]
        assert len(TEXTS) == len(sent.replies)
        calls = server.batches.calls
    assert calls.index("retrieve") > max(at for at, call in enumerate(calls) if call == "create")


async def test_the_prompts_of_one_batch_exist_at_a_time(bench):
    """Each is written when its batch is made up, the first that does not fit into it with them; none is kept."""
    unsent, seen, sent = [], set(), set()

    class Noting(AnthropicBatches):
        async def create(self, requests):
            unsent.append(len(seen - sent))
            sent.update(text_of(prompt.specific) for prompt in requests.values())
            return await super().create(requests)

    class LookedAt(dict):
        def __getitem__(self, key):
            prompt = super().__getitem__(key)
            seen.add(text_of(prompt.specific))
            return prompt

    prompts = bench.prompts(*(f"a good film, number {number}" for number in range(41)))
    with MessagesServer(by_keyword) as server:
        rules = Rules(from_rows=1, may_go_live=False, most_requests=10)
        answered = await bench.send(bench.sender(server, rules=rules, service=Noting), LookedAt(prompts))
        assert [10] * 4 == [len(batch.requests) for batch in server.batches.created]
    assert set(prompts) == set(answered.replies)
    assert 1 + 10 == max(unsent)  # the one that was sent live is not in a batch


async def test_what_the_service_does_not_take_for_now_waits_for_what_is_under_way(bench):
    """An organisation may have so many requests in batches: when the third one is refused, try after try, the first two
    are read, and then the rest is submitted. Nothing of it is asked live, nothing stays reserved or written down."""

    def full(operation):
        is_full = operation == "create" and len(server.batches.created) == 2 and "results" not in server.batches.calls
        return "429" if is_full else None

    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(call_fault=full)) as server:
        rules = Rules(from_rows=1, may_go_live=False, most_requests=3)
        sent = await bench.send(bench.sender(server, rules=rules), prompts)
        assert [3, 3, 3, 2] == [len(batch.requests) for batch in server.batches.created]
        calls = [call for call in server.batches.calls if call in {"create", "results"}]
        assert ["create"] * 5 + ["results"] * 2 + ["create"] * 2 + ["results"] * 2 == calls
        assert 1 == len(server.requests)
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd
    assert (len(TEXTS), 0.0, 0.0) == (
        len(sent.replies),
        bench.ledger.reserved_usd,
        bench.store.billed().unconfirmed_usd,
    )
    assert [] == bench.book.open_entries()
    assert 1 == sum("no more batches are taken for now" in notice for notice in bench.notices())


async def test_results_are_stored_and_handed_on_while_they_are_read(bench):
    """When the last line of a batch is read, all but the last five hundred replies are where they belong."""
    stored, taken = [], []

    class Noting(AnthropicBatches):
        async def results(self, batch_id):
            async for outcome in super().results(batch_id):
                stored.append(len(taken))
                yield outcome

    prompts = bench.prompts(*(f"a good film, number {number}" for number in range(1_202)))
    with MessagesServer(by_keyword) as server:
        sender = bench.sender(server, service=Noting)
        asked = await sender.ask(prompts, bench.done.extend, lambda key, reply, *, from_store: taken.append(key))
    assert [1, 501, 1_001] == sorted(set(stored))
    assert ({}, set(prompts), len(prompts)) == (asked.replies, set(taken), len(taken))
    assert set(prompts) == set(bench.store.get_many(prompts))


class Thinking(MessagesServer):
    """What is cut off has used up its room."""

    def completion(self, request, form):
        return self._spent(super().completion(request, form), request.body)

    def _complete_in_batch(self, params, fault):
        return self._spent(super()._complete_in_batch(params, fault), params)

    def _spent(self, message, body):
        if message["stop_reason"] == "max_tokens":
            message["usage"]["output_tokens"] = body["max_tokens"]
        return message


async def test_an_answer_cut_off_in_a_batch_is_asked_again_with_more_room(bench):
    """The one that went ahead finds out; the batch has the room already, and one that was cut off there goes live."""

    def fault(body):
        allowed = {"number 0": 1_024, "number 1": 4_096}
        most = next((most for words, most in allowed.items() if words in row_of(body)), 0)
        return "max_tokens" if body["max_tokens"] <= most else None

    rules = BatchRules(request_fault=lambda _, params: fault(params))
    with Thinking(by_keyword, fault_for=fault, batch_rules=rules) as server:
        prompts = bench.prompts(*TEXTS)
        asked = await bench.send(bench.sender(server), prompts)
        assert {4_096} == {params["max_tokens"] for params in server.batches.created[0].requests.values()}
        assert [1_024, 16_384, 16_384, 16_384] == sorted(request.body["max_tokens"] for request in server.requests)
    assert {text: by_keyword(text) for text in TEXTS} == labels(asked.replies, prompts)
    assert sorted(prompts) == sorted(bench.done)


async def test_too_few_rows_are_asked_live(bench):
    """Below the threshold no batch is made; in mode live not even for many rows."""
    for from_rows in (len(TEXTS) + 1, None):
        with MessagesServer(by_keyword) as server:
            sender = bench.sender(server, rules=Rules(from_rows=from_rows, may_go_live=True))
            sent = await bench.send(sender, bench.prompts(*(f"{text}, {from_rows}" for text in TEXTS)))
            assert ([], len(TEXTS), len(TEXTS)) == (server.batches.calls, len(server.requests), len(sent.replies))


async def test_only_what_failed_is_sent_again(bench):
    """Expired rows and server errors go into a second batch; a rejected row is a failure at once."""
    troubles = {"number 1": "expired", "number 2": "500", "number 3": "400"}
    tried = set()

    def fault(custom_id, params):
        trouble = next((kind for words, kind in troubles.items() if words in row_of(params)), None)
        first_time = row_of(params) not in tried
        tried.add(row_of(params))
        return trouble if first_time else None

    with MessagesServer(by_keyword, batch_rules=BatchRules(request_fault=fault)) as server:
        prompts = bench.prompts(*TEXTS)
        sent = await bench.send(bench.sender(server), prompts)
        assert [11, 4] == [len(batch.requests) for batch in server.batches.created]
    failed = {text_of(prompts[key].specific) for key in sent.failures}
    assert {"a good film, number 3", "a bad film, number 3"} == failed
    assert {Status.API_ERROR} == set(sent.failures.values())
    assert "2 texts got no answer" in bench.notices()[-1]
    assert len(TEXTS) - 2 == len(sent.replies)


async def test_a_row_that_always_expires_is_given_up(bench):
    """Three submissions, then it is an error of that row."""
    rules = BatchRules(request_fault=lambda _, params: "expired" if "number 5" in row_of(params) else None)
    with MessagesServer(by_keyword, batch_rules=rules) as server:
        sent = await bench.send(bench.sender(server), bench.prompts(*TEXTS))
        assert [11, 2, 2] == [len(batch.requests) for batch in server.batches.created]
    assert [Status.API_ERROR] * 2 == list(sent.failures.values())


async def test_a_feature_the_model_refuses_is_left_out_of_the_next_batch(bench):
    """Rows rejected for `effort` are sent again without it."""
    rules = BatchRules(request_fault=lambda _, params: "400 effort" if "effort" in params["output_config"] else None)
    with MessagesServer(by_keyword, batch_rules=rules) as server:
        sent = await bench.send(bench.sender(server), bench.prompts(*TEXTS))
        assert "effort" not in next(iter(server.batches.created[1].requests.values()))["output_config"]
    assert len(TEXTS) == len(sent.replies)


async def test_a_wrong_key_or_model_is_found_out_before_a_batch_is_made(bench):
    """The first row, sent live, fails at once."""
    with MessagesServer(by_keyword, fault_for=lambda _: "404") as server, pytest.raises(AccountError):
        await bench.send(bench.sender(server), bench.prompts(*TEXTS))
    assert "create" not in server.batches.calls


async def test_a_server_without_batches_is_asked_live_in_mode_auto(bench):
    """With a notice; in mode batch it is an error."""
    rules = BatchRules(call_fault=lambda _: "404")
    with MessagesServer(by_keyword, batch_rules=rules) as server:
        sender = bench.sender(server, rules=Rules(from_rows=1, may_go_live=True))
        sent = await bench.send(sender, bench.prompts(*TEXTS))
        assert (len(TEXTS), len(TEXTS)) == (len(sent.replies), len(server.requests))
        assert "one by one" in bench.notices()[0]
        with pytest.raises(AccountError):
            await bench.send(bench.sender(server), bench.prompts("another good one", "and a bad one"))
    assert [] == bench.book.open_entries()


class DiesBefore(AnthropicBatches):
    """Killed with the intention written and nothing sent."""

    async def create(self, requests):  # noqa: ARG002
        raise KilledError


class DiesAfter(AnthropicBatches):
    """Killed with the batch created and its id not noted."""

    async def create(self, requests):
        await super().create(requests)
        raise KilledError


@pytest.mark.parametrize("polls_to_end", [1, 3])
async def test_a_batch_whose_id_was_never_noted_is_found_again(bench, polls_to_end):
    """Killed between the creation and the note of the id: the next run reads that batch and makes no other."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=polls_to_end)) as server:
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=DiesAfter), prompts)
        bench.ledger = Ledger(PRICE, None, spent=bench.store.billed())
        sent = await bench.send(bench.sender(server), prompts)
        assert len(TEXTS) == len(sent.replies)
        assert (1, 1) == (len(server.batches.created), len(server.requests))
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd


async def test_a_strangers_batch_of_the_same_size_is_told_apart(bench):
    """It is waited for, seen to be another's, and left alone; ours, which never came to be, is then sent."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=DiesBefore), prompts)
        [lost] = bench.book.open_entries()
        stranger = {f"other-{number}": prompt for number, prompt in enumerate(list(prompts.values())[1:])}
        await AnthropicBatches(bench.model(server)).create(stranger)
        once = Rules(from_rows=1, may_go_live=False, most_tries=1)
        sent = await bench.send(bench.sender(server, rules=once), prompts)
        assert lost.requests == len(stranger)
        assert len(TEXTS) == len(sent.replies)
        assert 2 == len(server.batches.created)


async def test_a_batch_that_never_was_is_looked_for_once_more_when_it_had_time_to_appear(bench, time):
    """Killed before anything was sent: the next run looks, waits a minute, looks again and then submits."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=DiesBefore), prompts)
        await bench.send(bench.sender(server), prompts)
        calls = server.batches.calls
        assert 1 == len(server.batches.created)
    assert ["list", "list", "list", "list", "create"] == calls[: calls.index("create") + 1]
    assert 60.0 in time.slept


@pytest.mark.parametrize("fault", ["reset", "500", "empty body"])
async def test_a_create_of_unknown_outcome_is_not_repeated_blindly(bench, fault):
    """A reply that is lost may have had its effect: the batch is looked for, and made only where there is none."""
    faults = iter([fault])
    rules = BatchRules(call_fault=lambda operation: next(faults, None) if operation == "create" else None)
    with MessagesServer(by_keyword, batch_rules=rules) as server:
        sent = await bench.send(bench.sender(server), bench.prompts(*TEXTS))
        assert (1, len(TEXTS)) == (len(server.batches.created), len(sent.replies))


async def test_a_stopped_run_leaves_its_batch_and_the_next_waits_for_it(bench, time):
    """Cancelled while it polls; nothing is submitted a second time, and nothing is cancelled."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        with anyio.CancelScope() as scope:
            await bench.send(bench.sender(server, sleep=lambda _: _cancel(scope)), prompts)
        assert scope.cancelled_caught
        server.batches.end_all()
        sent = await bench.send(bench.sender(server), prompts)
        assert (len(TEXTS), 1) == (len(sent.replies), server.batches.calls.count("create"))
        assert "cancel" not in server.batches.calls


async def _cancel(scope):
    scope.cancel()
    await anyio.lowlevel.checkpoint()


async def test_a_kill_while_results_are_read_books_nothing_twice(bench):
    """What was stored before is not booked again; the rest is read by the next run."""

    class DiesReading(AnthropicBatches):
        async def results(self, batch_id):
            count = 0
            async for outcome in super().results(batch_id):
                count += 1
                if count == 5:
                    raise KilledError
                yield outcome

    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        sender = bench.sender(server, service=DiesReading)
        with pytest.raises(KilledError):
            await bench.send(sender, prompts)
        [entry] = bench.book.open_entries()
        await bench.send(bench.sender(server), prompts)
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd
        assert (1, len(TEXTS)) == (len(server.batches.created), len(bench.store.get_many(prompts)))
    assert [] == bench.book.open_entries()
    assert entry.requests == len(TEXTS) - 1


async def test_a_kill_before_the_batch_is_struck_out_books_nothing_twice(bench):
    """All of it is in the store already; the next run reads it once more and forgets it."""

    class DiesStriking(BatchBook):
        def close_entry(self, entry):  # noqa: ARG002
            raise KilledError

    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        whole, bench.book = bench.book, DiesStriking(bench.folder / "batches.sqlite")
        with contextlib.closing(bench.book), pytest.raises(KilledError):
            await bench.send(bench.sender(server), prompts)
        bench.book = whole
        assert 1 == len(bench.book.open_entries())
        await bench.send(bench.sender(server), prompts | bench.prompts("one more good film"))
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd
    assert [] == bench.book.open_entries()


def _all_of(store):
    billed = store.billed()
    return billed.usd + billed.unconfirmed_usd


@pytest.mark.parametrize("service", [DiesBefore, DiesAfter])
async def test_what_a_batch_may_cost_is_in_the_books_before_it_goes(bench, service):
    """Killed before or after it was created: the books hold the bill at once, whatever becomes of the batch, and are
    exact once it is read, or known not to exist."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=service), prompts)
        most_usd = sum(
            cost_usd(call_ceiling(prompt), PRICE, share=BATCH_SHARE) for prompt in list(prompts.values())[1:]
        )
        assert pytest.approx(server.billed_usd(PRICE) + most_usd) == _all_of(bench.store)
        server.batches.end_all()
        assert server.billed_usd(PRICE) < _all_of(bench.store)
        bench.ledger = Ledger(PRICE, None, spent=bench.store.begin())
        await bench.send(bench.sender(server, sleep=_ending(server)), prompts)
        assert (0.0, 0.0) == (bench.store.billed().unconfirmed_usd, bench.ledger.reserved_usd)
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd == bench.ledger.usd


async def test_a_batch_that_was_read_and_not_struck_out_leaves_the_books_with_nothing_to_ask(bench):
    """Killed in between, and every answer comes from the store: the books are exact all the same."""

    class DiesStriking(BatchBook):
        def close_entry(self, entry):  # noqa: ARG002
            raise KilledError

    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        whole, bench.book = bench.book, DiesStriking(bench.folder / "batches.sqlite")
        with contextlib.closing(bench.book), pytest.raises(KilledError):
            await bench.send(bench.sender(server), prompts)
        bench.book = whole
        asked = await bench.send(bench.sender(server), prompts)
        assert set(prompts) == asked.from_store
        assert pytest.approx(server.billed_usd(PRICE)) == _all_of(bench.store)
    assert [] == bench.book.open_entries()


async def test_a_cancelled_batch_stays_in_the_books_until_it_is_read(bench):
    """What it had answered is billed: the most of it counts as unconfirmed, and a retry makes it exact."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None, done_before_cancel=9)) as server:
        with anyio.CancelScope() as scope:
            await bench.send(bench.sender(server, sleep=lambda _: _cancel(scope)), prompts)
        assert [] == await cancel_batches_of_job(
            AnthropicBatches(bench.model(server)), bench.retry, bench.book, job="job-1"
        )
        server.batches.end_all()
        billed = bench.store.billed()
        assert billed.usd < server.billed_usd(PRICE) <= billed.usd + billed.unconfirmed_usd
        bench.ledger = Ledger(PRICE, None, spent=bench.store.begin())
        await bench.send(bench.sender(server, sleep=_ending(server)), prompts)
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd
        assert 0.0 == bench.store.billed().unconfirmed_usd


async def test_a_batch_under_way_counts_against_a_cap_that_was_lowered(bench):
    """It is submitted and will be billed: nothing else is sent for money that it may take."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        await bench.track_to(server).create(prompts, most_usd=1.0)
        sender = bench.sender(server, sleep=_ending(server), budget_usd=0.9)
        other = bench.prompts("a good one that is new")
        sent = await bench.send(sender, other)
        assert ({}, dict.fromkeys(other, Status.BUDGET)) == (sent.replies, sent.failures)
        assert (1, []) == (len(server.batches.created), server.requests)


@pytest.mark.parametrize("days", [-400, -40, 40, 400])
async def test_a_clock_that_is_set_neither_forgets_nor_repeats_a_batch(bench, days):
    """The record was written by a clock that many days ahead of, or behind, the one that reads it; the batch that was
    the newest before has been deleted. It is found without its id, and no other is made."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        await AnthropicBatches(bench.model(server)).create({"x-1": next(iter(prompts.values()))})
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=DiesAfter), prompts)
        del server.batches.created[0]
        _set_clock(bench, bench.book.open_entries()[0].created_at + days * 86_400.0)
        bench.book = BatchBook(bench.folder / "batches.sqlite")
        bench.closing.callback(bench.book.close)
        sent = await bench.send(bench.sender(server, sleep=_ending(server)), prompts)
        assert (len(TEXTS), 1) == (len(sent.replies), len(server.batches.created))
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd


def _set_clock(bench, created_at):
    """As if the record had been written at another time, by our clock."""
    with contextlib.closing(sqlite3.connect(bench.folder / "batches.sqlite")) as record, record:
        record.execute("UPDATE batches SET created_at = ?", (created_at,))


async def test_a_batch_that_turns_up_late_is_found_though_the_clock_says_it_is_old(bench, time):
    """Killed while it was created, and the clock set ahead: the next run still looks a second time, a minute later."""

    class Late(AnthropicBatches):
        listed = 0

        async def newer_than(self, batch_id, *, not_before):
            Late.listed += 1
            if Late.listed > 1:
                async for batch in super().newer_than(batch_id, not_before=not_before):
                    yield batch

    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=DiesAfter), prompts)
        _set_clock(bench, 1.0)
        sent = await bench.send(bench.sender(server, service=Late), prompts)
        assert (len(TEXTS), 1) == (len(sent.replies), len(server.batches.created))
    assert 60.0 in time.slept


async def test_an_old_batch_is_struck_out_on_the_services_word_alone(bench):
    """One that another job left a month ago: kept while the service knows it, given up when that says it is gone."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        await bench.track_to(server, job="first").create(prompts, most_usd=MOST_USD)
        _set_clock(bench, 1.0)
        other = bench.prompts("another good film", "another bad film")
        await bench.send(bench.sender(server, sleep=_ending(server)), other)
        assert ["first"] == [entry.job for entry in bench.book.open_entries()]
        server.batches.created.clear()
        await bench.send(bench.sender(server, sleep=_ending(server)), bench.prompts("one more good film"))
    assert [] == bench.book.open_entries()
    bills = store_maintenance.bills_in_store(bench.folder / "answers.sqlite")
    assert (MOST_USD, 0.0) == (bills["first"].unconfirmed_usd, bills["job-1"].unconfirmed_usd)


async def test_results_cut_off_in_the_middle_are_read_again(bench):
    """A reset in the body of the results costs a second reading, no second batch and no second bill."""
    faults = iter(["reset", "truncated json"])
    rules = BatchRules(call_fault=lambda operation: next(faults, None) if operation == "results" else None)
    with MessagesServer(by_keyword, batch_rules=rules) as server:
        sent = await bench.send(bench.sender(server), bench.prompts(*TEXTS))
        assert (len(TEXTS), 1) == (len(sent.replies), len(server.batches.created))
        assert pytest.approx(server.billed_usd(PRICE)) == bench.store.billed().usd


async def test_an_outage_while_waiting_is_waited_out(bench):
    """Far more failures than a call has tries: the batch goes on at the provider, so does the waiting."""
    faults = iter(["500"] * 20)
    rules = BatchRules(call_fault=lambda operation: next(faults, None) if operation == "retrieve" else None)
    with MessagesServer(by_keyword, batch_rules=rules) as server:
        sent = await bench.send(bench.sender(server), bench.prompts(*TEXTS))
    assert len(TEXTS) == len(sent.replies)
    assert 1 == sum("cannot be asked" in message for message in bench.notices())


async def test_waiting_grows_longer_and_is_reported(bench, time):
    """Polls are ever further apart, up to two minutes, and each tells how far the batch is."""
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=15)) as server:
        await bench.send(bench.sender(server), bench.prompts(*TEXTS))
        batch_id = server.batches.created[0].id
    assert [2.0, 3.0, 4.5] == time.slept[:3]
    assert 120.0 == time.slept[-1] == max(time.slept)
    reports = [event for event in bench.events if isinstance(event, BatchProgress)]
    assert [BatchProgress(batch_id, 0, 11)] * 14 + [BatchProgress(batch_id, 11, 11)] == reports


async def test_a_budget_sends_as_many_as_it_allows_and_more_as_they_turn_out_cheaper(bench):
    """The ceilings of what is under way fit the cap at half price; what never fits is left, with the reason."""
    prompts = bench.prompts(*TEXTS)
    one_usd = max(cost_usd(call_ceiling(prompt), PRICE, share=BATCH_SHARE) for prompt in prompts.values())
    cap_usd = 5.5 * one_usd
    with MessagesServer(by_keyword) as server:
        sent = await bench.send(bench.sender(server, budget_usd=cap_usd), prompts)
        sizes = [len(batch.requests) for batch in server.batches.created]
        assert sizes[0] in {4, 5}
        assert bench.ledger.usd <= cap_usd
        assert pytest.approx(server.billed_usd(PRICE)) == bench.ledger.usd
    assert len(TEXTS) == len(sent.replies) == 1 + sum(sizes)
    assert len(sizes) >= 3


async def test_rows_beyond_the_budget_are_left_with_the_reason(bench):
    """Nothing is sent that could pass the cap, not even the first row."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        sent = await bench.send(bench.sender(server, budget_usd=0.000001), prompts)
        assert ([], []) == (server.requests, server.batches.created)
    assert dict.fromkeys(prompts, Status.BUDGET) == sent.failures
    assert "budget_usd" in str(sent.budget_error)


async def test_rows_under_way_in_another_jobs_batch_are_waited_for(bench):
    """Two jobs that ask the same share one batch; it is billed once."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=2)) as server:
        both = []

        async def ask(job):
            both.append(await bench.send(bench.sender(server, job=job), prompts))

        await bench.track_to(server, job="first").create(prompts, most_usd=MOST_USD)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "first")
            group.start_soon(ask, "second")
        assert [len(TEXTS)] * 2 == [len(sent.replies) for sent in both]
        assert 1 == len(server.batches.created)


class Overtaken:
    """A store in which nothing is found at the first look; then another job puts its answers there and strikes out the
    batch they came in."""

    def __init__(self, store, finish):
        self._store, self._finish = store, finish

    def get_many(self, keys):
        found = self._store.get_many(keys)
        finish, self._finish = self._finish, lambda: None
        finish()
        return found

    def __getattr__(self, name):
        return getattr(self._store, name)


async def test_a_batch_that_another_job_reads_while_this_one_looks_is_not_sent_again(bench):
    """Between a look into the store and one into the record a batch can leave the one for the other."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=1)) as server:
        entry = await bench.track_to(server, job="first").create(prompts, most_usd=MOST_USD)

        def finish():
            bench.store.put_many({key: Reply(text='{"label": "billing"}') for key in prompts})
            bench.book.close_entry(entry)

        sent = await bench.send(bench.sender(server, job="second", store=Overtaken(bench.store, finish)), prompts)
        assert 1 == len(server.batches.created)
    assert len(TEXTS) == len(sent.replies)


async def test_a_batch_somebody_else_cancelled_is_not_sent_again(bench):
    """Its unanswered rows are failures; those answered in time are kept."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None, done_before_cancel=3)) as server:
        await bench.track_to(server).create(prompts, most_usd=MOST_USD)
        [batch] = server.batches.created
        await AnthropicBatches(bench.model(server)).cancel(batch.id)
        sent = await bench.send(bench.sender(server), prompts)
        assert (3, len(TEXTS) - 3, 1) == (len(sent.replies), len(sent.failures), len(server.batches.created))
    assert batch.id in bench.notices()[-1]


async def test_a_cancelled_job_cancels_its_batches_and_its_retry_reads_what_was_done(bench):
    """What was answered before is read and paid for once; only the rest is submitted again."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None, done_before_cancel=3)) as server:
        await bench.track_to(server).create(prompts, most_usd=MOST_USD)
        service = AnthropicBatches(bench.model(server))
        assert [] == await cancel_batches_of_job(service, bench.retry, bench.book, job="another")
        assert "cancel" not in server.batches.calls
        assert [] == await cancel_batches_of_job(service, bench.retry, bench.book, job="job-1")
        assert "canceling" == server.batches.created[0].processing_status
        sent = await bench.send(bench.sender(server, sleep=_ending(server)), prompts)
        assert (len(TEXTS), [12, 8]) == (len(sent.replies), [len(batch.requests) for batch in server.batches.created])
        assert pytest.approx(server.billed_usd(PRICE)) == bench.ledger.usd


def _ending(server):
    async def sleep(_):
        server.batches.end_all()

    return sleep


async def test_what_cannot_be_cancelled_is_told(bench):
    """A batch without an id that may be ours is named, not touched; so is one at an address no longer in use."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword, batch_rules=BatchRules(polls_to_end=None)) as server:
        with pytest.raises(KilledError):
            await bench.send(bench.sender(server, service=DiesAfter), prompts)
        bench.book.note_intention(job="job-1", endpoint="http://elsewhere", newest_before=None, keys=["a"])
        first, second = await cancel_batches_of_job(
            AnthropicBatches(bench.model(server)), bench.retry, bench.book, job="job-1"
        )
        assert server.batches.created[0].id in first
        assert "cancel" not in server.batches.calls
    assert "http://elsewhere" in second


async def test_a_batch_that_is_gone_is_sent_again(bench):
    """Deleted, or of another workspace: a notice, and a new batch."""
    prompts = bench.prompts(*TEXTS)
    with MessagesServer(by_keyword) as server:
        await bench.track_to(server).create(prompts, most_usd=MOST_USD)
        server.batches.created.clear()
        sent = await bench.send(bench.sender(server), prompts)
    assert len(TEXTS) == len(sent.replies)
    assert "is not there any more" in bench.notices()[0]


async def test_a_create_that_fails_for_good_leaves_the_intention(bench):
    """After all tries nobody knows whether there is a batch: the record keeps it, and the next run looks."""
    rules = BatchRules(call_fault=lambda operation: "reset" if operation == "create" else None, polls_to_end=None)
    with MessagesServer(by_keyword, batch_rules=rules) as server, pytest.raises(TransientError):
        await bench.track_to(server, service=_Forgetful).create(bench.prompts(*TEXTS), most_usd=MOST_USD)
    [entry] = bench.book.open_entries()
    assert (None, len(TEXTS)) == (entry.batch_id, entry.requests)


class _Forgetful(AnthropicBatches):
    """A service whose listing lags behind."""

    async def newer_than(self, batch_id, *, not_before):  # noqa: ARG002
        for batch in ():
            yield batch
