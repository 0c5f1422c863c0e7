"""freeal/annotation/annotator.py and freeal/annotation/send_prompts.py: texts in, annotations out."""

from __future__ import annotations

import gc
import itertools
import json

import pytest

from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.annotation.send_prompts_state import PROMPTS_KEPT
from freeal.errors import BudgetReachedError, RowRejectedError, TransientError, UnusableAnswersError
from freeal.events import Notice, Progress, Spend
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.retry import Retry
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.llm.store.answer_store import MemoryStore, SqliteStore
from freeal.llm.store.store_maintenance import store_contents
from freeal.money.budget_ledger import Ledger
from freeal.money.call_ceiling import output_ceiling
from freeal.money.prices import FREE
from freeal.settings import Price
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.server import Fault, MessagesServer
from freeal.text.long_text_shortening import MOST_TEXT_CHARACTERS
from freeal.types import Demonstration, Label, Prompt, Reply, Status, Task, Usage

pytestmark = pytest.mark.anyio

TASK = Task("Good or bad?", (Label("good"), Label("bad")))
PRICE = Price(input=1.0, output=5.0, cached_input=0.1)


def by_keyword(prompt):
    return "good" if "fine" in text_of(prompt.specific) else "bad"


def requests(*texts):
    return [LabelRequest(index, text) for index, text in enumerate(texts)]


class Job:
    """An annotator with everything around it, in memory."""

    def __init__(self, respond=by_keyword, *, price=FREE, budget_usd=None, store=None, calibration="batch", **options):
        self.model = ScriptedModel(respond, **options)
        self.store = MemoryStore() if store is None else store
        self.ledger = Ledger(price, budget_usd)
        self.events = []
        self.annotator = Annotator(self.model, self.store, self.ledger, self.events.append, calibration)

    async def annotate(self, *texts, **options):
        return await self.annotator.annotate(requests(*texts), task=TASK, round_number=1, **options)

    def notices(self):
        return [event.message for event in self.events if isinstance(event, Notice)]


async def test_annotations_come_in_the_order_of_requests():
    """Each request gets its own label, wherever its answer came in."""
    notes = await Job().annotate("fine 1", "poor", "fine 2")
    assert [(0, "good"), (1, "bad"), (2, "good")] == [(note.index, note.label) for note in notes]
    assert {(Status.OK,)} == {note.statuses for note in notes}
    assert {1} == {note.round for note in notes}


async def test_equal_requests_are_asked_once():
    """Duplicates share one call; the same text with other demonstrations is another question."""
    job = Job()
    own = (Demonstration("x", "good", "user"),)
    asked = [LabelRequest(0, "fine"), LabelRequest(1, "fine"), LabelRequest(2, "fine", own)]
    notes = await job.annotator.annotate(asked, task=TASK, round_number=1)
    assert ["good"] * 3 == [note.label for note in notes]
    assert 2 == len(job.model.prompts)


async def test_a_paid_answer_is_never_paid_again():
    """A second run over the same store makes no call and says where its answers are from."""
    first = Job()
    await first.annotate("fine", "poor")
    second = Job(store=first.store)
    notes = await second.annotate("fine", "poor", "new")
    assert [True, True, False] == [note.from_store for note in notes]
    assert 1 == len(second.model.prompts)


@pytest.mark.parametrize("error", [RowRejectedError("too odd"), TransientError("gone")])
async def test_a_failed_row_does_not_stop_the_others(error):
    """Its status is api_error, and one notice tells of it."""
    job = Job(lambda prompt: error if "odd" in text_of(prompt.specific) else "good")
    notes = await job.annotate("a", "odd", "b")
    assert [(Status.OK,), (Status.API_ERROR,), (Status.OK,)] == [note.statuses for note in notes]
    assert [None] == [note.label for note in notes if note.label is None]
    assert 1 == len(job.notices())


async def test_stored_answers_need_no_budget():
    """What is already paid for is used although the budget is gone."""
    first = Job()
    await first.annotate("fine")
    assert "good" == (await Job(store=first.store, price=PRICE, budget_usd=0.0).annotate("fine"))[0].label


async def test_an_unusable_answer_gets_one_repair():
    """The second question differs, names the labels, and its answer counts; both answers are stored."""
    job = Job(lambda prompt: "bad" if "exactly one of these labels" in prompt.specific else "no idea")
    notes = await job.annotate("a")
    assert [("bad", (Status.OK,))] == [(note.label, note.statuses) for note in notes]
    assert 2 == len(job.model.prompts)
    await Job(lambda _: AssertionError("asked again"), store=job.store).annotate("a")


@pytest.mark.parametrize(
    ("reply", "status", "asked"),
    [
        (Reply("no idea"), Status.INVALID_ANSWER, 2),
        (Reply("", outcome="empty"), Status.INVALID_ANSWER, 2),
        (Reply("", outcome="refused"), Status.REFUSED, 1),
        (Reply('{"lab', outcome="cut_off", usage=Usage(output_tokens=9)), Status.INVALID_ANSWER, 1),
    ],
)
async def test_after_one_repair_the_row_is_given_up(reply, status, asked):
    """No endless asking, and none at all where another wording would not help: what was refused was meant, what was
    cut off for another reason than our limit would be again."""
    job = Job(lambda _: reply)
    assert [(None, (status,))] == [(note.label, note.statuses) for note in await job.annotate("a")]
    assert asked == len(job.model.prompts)


@pytest.mark.parametrize("outcome", ["answer", "empty", "cut_off", "refused"])
async def test_what_is_no_answer_is_asked_again_by_the_next_run(tmp_path, outcome):
    """The mended model is heard; within one run nothing is asked twice, and what came at first is kept in the file."""
    useless = Reply("no idea", outcome=outcome, usage=Usage(output_tokens=9))
    store = SqliteStore(tmp_path / "answers.db")
    first = Job(lambda _: useless, store=store)
    assert None is (await first.annotate("a"))[0].label
    asked = len(first.model.prompts)
    await first.annotate("a")
    assert asked == len(first.model.prompts)
    second = Job(lambda _: "good", store=store)
    assert ["good"] == [note.label for note in await second.annotate("a")]
    third = Job(lambda _: AssertionError("asked again"), store=store)
    assert ["good"] == [note.label for note in await third.annotate("a")]
    assert asked + 1 == sum(share.entries for share in store_contents(tmp_path / "answers.db"))
    store.close()


async def test_an_answer_cut_off_by_thinking_gets_more_room_once():
    """The first answer finds out; from then on every call has the room, and nothing is repaired or paid twice."""

    def respond(prompt: Prompt):
        room = output_ceiling(prompt)
        usage = Usage(1, 10, 0, min(room, 3_000))
        return Reply("", outcome="cut_off", usage=usage) if room < 3_000 else Reply("good", usage=usage)

    job = Job(respond, concurrency=1)
    assert ["good"] * 5 == [note.label for note in await job.annotate("a", "b", "c", "d", "e")]
    assert [1_024, *[4_096] * 5] == [output_ceiling(prompt) for prompt in job.model.prompts]
    assert 1 == len([told for told in job.notices() if "cut off at 1,024 tokens" in told])
    assert 6 == job.ledger.usage.calls


async def test_a_server_that_refuses_more_room_is_given_less_again():
    """The cut-off row is given up, the others are asked as before."""

    def respond(prompt: Prompt):
        if output_ceiling(prompt) > 1_024:
            return RowRejectedError("max_tokens is too large: 4096")
        if text_of(prompt.specific) == "a":
            return Reply("", outcome="cut_off", usage=Usage(1, 10, 0, 1_024))
        return "good"

    job = Job(respond, concurrency=1)
    assert [None, "good", "good"] == [note.label for note in await job.annotate("a", "b", "c")]


async def test_a_model_that_is_always_cut_off_ends_the_job_soon():
    """Before thousands of rows are paid for: the message has the server's words and says what to do."""
    reply = Reply("", outcome="cut_off", words="finish_reason 'length'", usage=Usage(1, 10, 0, 1_000))
    job = Job(lambda _: reply, concurrency=1)
    with pytest.raises(UnusableAnswersError, match="finish_reason 'length'"):
        await job.annotate(*(f"t{n}" for n in range(100)))
    assert len(job.model.prompts) <= 25


async def test_empty_and_overlong_texts():
    """An empty text is not sent; a giant one is cut, sent and marked."""
    job = Job()
    notes = await job.annotate("  ", "fine " * MOST_TEXT_CHARACTERS)
    assert [(Status.EMPTY_TEXT,), (Status.TRUNCATED,)] == [note.statuses for note in notes]
    assert [None, "good"] == [note.label for note in notes]
    assert MOST_TEXT_CHARACTERS == len(text_of(job.model.prompts[0].specific))


async def test_scores_become_probabilities():
    """A scoring model's label is the most probable one; its distribution is kept and sums to one."""
    scores = {"a": (-0.1, -3.0), "b": (-2.5, -0.2), "c": (-0.3, -2.0)}
    job = Job(lambda prompt: Reply(scores=scores[text_of(prompt.specific)]), calibration="none")
    notes = await job.annotate("a", "b", "c")
    assert ["good", "bad", "good"] == [note.label for note in notes]
    assert all(note.confidence == max(note.distribution) for note in notes)
    assert pytest.approx([1.0] * 3) == [sum(note.distribution) for note in notes]


MANY = Task("Sort.", tuple(Label(name, f"about {name}") for name in ("red", "green", "blue", "grey")))


async def test_rows_scored_on_their_shortlists_share_one_distribution():
    """Whatever labels a row was scored on, its distribution is over all labels in the task's order."""
    scores = {"red": -0.1, "green": -4.0, "blue": -2.0, "grey": -3.0}
    job = Job(
        lambda prompt: Reply(scores=tuple(scores[name] for name in prompt.labels)),
        calibration="none",
        style="completion",
    )
    lists = (("grey", "red"), ("green", "blue", "grey"), None)
    asked = [LabelRequest(index, "x", labels=labels) for index, labels in enumerate(lists)]
    notes = await job.annotator.annotate(asked, task=MANY, round_number=1)
    assert [*lists[:2], MANY.names] == [prompt.labels for prompt in job.model.prompts]
    assert ["red", "blue", "red"] == [note.label for note in notes]
    assert {4} == {len(note.distribution) for note in notes}
    assert pytest.approx([1.0] * 3) == [sum(note.distribution) for note in notes]
    orders = [sorted(range(4), key=note.distribution.__getitem__, reverse=True) for note in notes]
    assert [[0, 3], [2, 3, 1, 0], [0, 2, 3, 1]] == [orders[0][:2], *orders[1:]]


async def test_shortlisted_scores_are_calibrated_over_the_call():
    """A liking for one label is taken out although each row was scored on other labels."""
    names = MANY.names
    liking = dict(zip(names, (0.0, 3.0, -2.0, 1.0), strict=True))
    truth = [names[n % 4] for n in range(160)]

    def respond(prompt: Prompt):
        n = int(prompt.specific.rpartition("Input: ")[2].split()[0])
        return Reply(scores=tuple(liking[name] + (name == truth[n]) + 0.0001 * n for name in prompt.labels))

    asked = [
        LabelRequest(n, str(n), labels=tuple(dict.fromkeys((name, names[n // 4 % 4], "green"))))
        for n, name in enumerate(truth)
    ]
    notes = await Job(respond, style="completion").annotator.annotate(asked, task=MANY, round_number=1)
    assert truth == [note.label for note in notes]


async def test_a_written_answer_may_name_any_label():
    """A shortlist is advice to a model that writes: a label that is not on it is taken."""
    job = Job(lambda _: '{"label": "blue", "confidence": 0.9}')
    asked = [LabelRequest(0, "x", labels=("red", "grey"))]
    notes = await job.annotator.annotate(asked, task=MANY, round_number=1)
    assert [("blue", 0.9, None)] == [(note.label, note.confidence, note.distribution) for note in notes]
    assert 1 == len(job.model.prompts)


async def test_calibration_takes_the_models_prior_away():
    """A model that always leans to one label is judged by its differences, over the whole call."""
    scores = {f"t{n}": (-0.1 - 0.01 * n, -3.0 + 0.01 * n) for n in range(40)}
    job = Job(lambda prompt: Reply(scores=scores[text_of(prompt.specific)]))
    notes = await job.annotate(*scores)
    assert 10 < sum(note.label == "bad" for note in notes) < 30
    assert "bad" == notes[-1].label


async def test_a_reply_that_was_cut_by_the_model_is_marked():
    """The model's own truncation shows as a status beside the label."""
    job = Job(lambda _: Reply("good", truncated=True))
    assert [("good", (Status.TRUNCATED,))] == [(note.label, note.statuses) for note in await job.annotate("a")]


async def test_progress_and_spend_are_told():
    """Progress rises to the total, not for every row; spend ends at the ledger's sum."""
    job = Job(price=PRICE)
    await job.annotate(*(f"t{n}" for n in range(1000)))
    progress = [event for event in job.events if isinstance(event, Progress)]
    spend = [event for event in job.events if isinstance(event, Spend)]
    assert sorted(event.done for event in progress) == [event.done for event in progress]
    assert (1000, 1000) == (progress[-1].done, progress[-1].total)
    assert len(progress) <= 210
    assert (1000, job.ledger.usd) == (spend[-1].calls, spend[-1].usd)


async def test_nothing_to_annotate():
    """No requests, no calls, no annotations."""
    job = Job()
    assert [] == await job.annotate()
    assert [] == job.model.calls


async def test_the_model_writes_demonstrations():
    """Label by label, at most per_label each; repetitions and copies of prototypes are dropped."""

    def write(prompt: Prompt):
        name = "good" if '"good"' in prompt.specific else "bad"
        return json.dumps({"texts": [f"{name} one", "A  PROTO", f"{name} one", f"{name} two", f"{name} three"]})

    job = Job(write)
    demos = await job.annotator.write_demonstrations(TASK, prototypes=["a proto"], per_label=2)
    assert [
        Demonstration("good one", "good", "generated"),
        Demonstration("good two", "good", "generated"),
        Demonstration("bad one", "bad", "generated"),
        Demonstration("bad two", "bad", "generated"),
    ] == demos


async def test_a_label_without_written_texts_is_told():
    """A refusal for one label leaves the other's texts and a notice."""
    job = Job(lambda prompt: Reply(outcome="refused") if '"bad"' in prompt.specific else '{"texts": ["x"]}')
    demos = await job.annotator.write_demonstrations(TASK, prototypes=[], per_label=2)
    assert ["good"] == [demo.label for demo in demos]
    assert ["the model wrote no example for the label 'bad'"] == job.notices()


async def test_a_model_that_does_not_write_is_not_asked():
    """Empty, without a call."""
    job = Job()
    job.model.writes = False
    assert [] == await job.annotator.write_demonstrations(TASK, prototypes=[], per_label=2)
    assert [] == job.model.calls


async def test_the_whole_edge_over_a_real_socket(tmp_path):
    """Every kind of fault on the way: each row is labelled, spend is counted, and a second run costs nothing."""
    texts = [f"{'fine' if n % 3 else 'poor'} {n}" for n in range(60)]
    faults = [None, "500", "reset", "empty body", "truncated json", "529", Fault("429", 0.01), "outside the set"]
    with MessagesServer(lambda text: "good" if "fine" in text else "bad", faults=faults * 2) as server:
        for expected_requests in (60 + 14, 0):
            before = len(server.requests)
            store = SqliteStore(tmp_path / "answers.db")
            model = AnthropicModel(ApiKey("k", "a test"), retry=Retry(8, base_seconds=0.01), base_url=server.base_url)
            ledger = Ledger(PRICE, 5.0)
            annotator = Annotator(model, store, ledger, lambda _: None)
            notes = await annotator.annotate(requests(*texts), task=TASK, round_number=1)
            await model.aclose()
            store.close()
            assert ["good" if "fine" in text else "bad" for text in texts] == [note.label for note in notes]
            assert expected_requests == len(server.requests) - before
            assert ledger.usage.calls == (62 if expected_requests else 0)
        assert ledger.usage == Usage()


async def test_a_budget_too_small_for_one_call_is_named_as_the_reason():
    """Rather than answers that were of no use; a later round has those of the rounds before."""
    job = Job(price=PRICE, budget_usd=0.0)
    with pytest.raises(BudgetReachedError, match="budget_usd"):
        await job.annotate("fine", "poor")
    notes = await job.annotator.annotate(requests("fine"), task=TASK, round_number=2)
    assert (Status.BUDGET,) == notes[0].statuses


def _ranked(prompt):
    """Sure of what is fine or poor, torn about the rest, and one answer without probabilities."""
    text = text_of(prompt.specific)
    if text == "silent":
        return json.dumps({"label": "bad", "confidence": 0.9})
    good = 0.95 if "fine" in text else 0.05 if "poor" in text else 0.55
    told = [{"label": "good", "probability": good}, {"label": "bad", "probability": round(1 - good, 2)}]
    return json.dumps({"label": "good" if good > 0.5 else "bad", "confidence": good, "probabilities": told})


async def test_ranked_candidates_are_a_distribution():
    """In one call: the torn texts are less sure than the others, an answer without probabilities keeps its label, and
    the question says what is wanted; without the option nothing of it is asked or read."""
    texts = [*(f"fine {n}" for n in range(40)), *(f"poor {n}" for n in range(10)), "so so", "silent"]
    job = Job(_ranked)
    notes = await job.annotate(*texts, ranked=True)
    assert all("`probabilities`" in prompt.system for prompt in job.model.prompts)
    assert len(texts) == len(job.model.prompts)
    by_text = dict(zip(texts, notes, strict=True))
    assert [None, "bad"] == [by_text["silent"].distribution, by_text["silent"].label]
    assert ("good", "bad") == (by_text["fine 1"].label, by_text["poor 1"].label)
    assert by_text["so so"].confidence + 0.2 < by_text["fine 1"].confidence
    assert all(sum(note.distribution) == pytest.approx(1.0) for note in notes if note.distribution)
    plain = Job(_ranked)
    assert all(note.distribution is None for note in await plain.annotate(*texts))
    assert not any("`probabilities`" in prompt.system for prompt in plain.model.prompts)


async def test_ranked_candidates_keep_uneven_shares():
    """Labels that are nine to one stay so: what a good model says is not taken for a preference of names."""
    notes = await Job(_ranked).annotate(
        *(f"fine {n}" for n in range(90)), *(f"poor {n}" for n in range(10)), ranked=True
    )
    assert 90 == sum(note.label == "good" for note in notes)


async def test_uncalibrated_candidates_are_as_stated():
    """With llm.calibration none."""
    (note,) = await Job(_ranked, calibration="none").annotate("fine", ranked=True)
    assert pytest.approx((0.95, 0.05)) == note.distribution


def alive(kind):
    """How many objects of a class there are."""
    return sum(type(one) is kind for one in gc.get_objects())


@pytest.mark.parametrize("own", [(), (Demonstration("fine", "good", "user"),)])
async def test_neither_prompts_nor_replies_pile_up_with_the_rows(own):
    """Of three times as many texts as prompts are remembered, those remembered alone exist at a time, whether all show
    the same demonstrations or each its own; and of replies those that were just given."""
    held = []

    def respond(prompt):
        if next(count) % PROMPTS_KEPT == 0:
            held.append((alive(Prompt) - before[0], alive(Reply) - before[1]))
        return by_keyword(prompt)

    count, before = itertools.count(1), (alive(Prompt), alive(Reply))
    job = Job(respond, store=Forgetful(), concurrency=2, remembers=False)
    asked = [LabelRequest(index, f"fine {index}", own) for index in range(3 * PROMPTS_KEPT)]
    notes = await job.annotator.annotate(asked, task=TASK, round_number=1)
    assert {"good"} == {note.label for note in notes}
    assert 3 == len(held)
    assert PROMPTS_KEPT + 10 >= max(prompts for prompts, _ in held)
    assert 10 >= max(replies for _, replies in held)


class Forgetful(MemoryStore):
    """Keeps no reply, as one on a disk keeps none in memory."""

    def put_many(self, replies, **rest):
        del replies
        super().put_many({}, **rest)
