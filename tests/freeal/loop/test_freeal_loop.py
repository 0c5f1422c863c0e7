"""The FreeAL loop on a scripted language model and a tiny student: mechanisms, deterministic and fast."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import zlib

import anyio
import numpy as np
import pytest

from freeal.annotation.annotator import Annotator
from freeal.errors import TrainingError
from freeal.evaluation.metrics import Evaluation
from freeal.events import Notice, RoundFinished, Spend, ignore
from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.final_label import decide_final_labels
from freeal.loop.freeal_loop import Loop
from freeal.loop.round_store import RoundStore
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import Pool
from freeal.selection.query_selection import TURNING_ODDS
from freeal.settings import LoopSettings, Price
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Demonstration, Label, Reply, Status, Task

TASK = Task("Is the customer happy?", (Label("happy"), Label("angry")))
WORDS = {
    "happy": ["great", "lovely", "perfect", "delightful", "superb", "charming"],
    "angry": ["broken", "awful", "useless", "terrible", "rotten", "shabby"],
}
USER = (Demonstration("superb", "happy", "user"), Demonstration("awful", "angry", "user"))


def _texts(count):
    rng = random.Random(1)
    truth = ["happy" if number % 2 else "angry" for number in range(count)]
    return [f"{rng.choice(WORDS[t])} {rng.choice(WORDS[t])} thing {n}" for n, t in enumerate(truth)], truth


def _pool(count=120):
    texts, truth = _texts(count)
    rows = tuple(range(count))
    return Pool(tuple(texts), rows, rows, ("text",), tuple(truth))


def _truth_of(text):
    return "happy" if any(word in text for word in WORDS["happy"]) else "angry"


def _planted(text):
    """Whether the scripted annotator gets this text wrong when nobody helps it: one happy text in five."""
    number = text.rsplit(" ", 1)[1]
    return _truth_of(text) == "happy" and number.isdigit() and int(number) % 5 == 1


class Annotating:
    """An annotator with class-biased errors that disappear once it is shown demonstrations chosen for the row."""

    def __init__(self, *, helped=True, invalid=frozenset()):
        self.model = ScriptedModel(self._respond)
        self._helped = helped
        self._invalid = invalid

    def _respond(self, prompt):
        if not prompt.labels:
            return json.dumps({"texts": ["a great new thing", "a lovely new thing"]})
        text = text_of(prompt.specific)
        if text in self._invalid:
            return "no idea"
        helped = self._helped and prompt.specific.count("<text>") > 1
        label = "angry" if _planted(text) and not helped else _truth_of(text)
        return json.dumps({"label": label, "confidence": 0.8})


def _run(tmp_path, pool, model, *, settings=None, trainer=None, user=USER, events=None, budget=None, store=None):
    ledger = Ledger(Price(input=1.0, output=1.0), budget, model="script-1")
    emit = ignore if events is None else events.append
    loop = Loop(
        task=TASK,
        pool=pool,
        annotator=Annotator(model, MemoryStore() if store is None else store, ledger, emit),
        trainer=trainer or TinyTrainer(),
        settings=settings or LoopSettings(iterations=2, shots=4),
        store=RoundStore(tmp_path, question="q"),
        evaluation=Evaluation.of(pool),
        seed=0,
        emit=emit,
    )
    return anyio.run(loop.run, user)


def test_the_loop_finds_the_planted_errors_and_mends_them(tmp_path):
    """More than nine in ten texts the annotator got wrong are found, asked again with demonstrations, and come back
    right."""
    pool = _pool(240)
    wrong = {index for index, text in enumerate(pool.texts) if _planted(text)}
    result = _run(tmp_path, pool, Annotating().model)
    first, second = result.rounds
    assert 0.9 * len(wrong) < len(wrong & {note.index for note in second.asked})
    assert first.metrics["llm_accuracy"] < 0.95
    assert 0.98 < second.metrics["llm_accuracy"]
    assert 2 == result.best.round


def test_later_rounds_ask_only_what_is_not_clean(tmp_path):
    """Round 2 leaves the trusted labels alone: it asks exactly the texts below the clean threshold."""
    result = _run(tmp_path, _pool(), Annotating().model)
    first, second = result.rounds
    unclean = [index for index, clean in enumerate(first.clean_probability) if clean <= 0.9]
    assert unclean == [note.index for note in second.asked]
    assert 0 < len(unclean) < 60


def test_demonstrations_of_later_rounds_come_from_the_student(tmp_path):
    """Representatives are pool texts on which both agree, balanced over the labels, and never the row itself."""
    pool, annotating = _pool(), Annotating()
    result = _run(tmp_path, pool, annotating.model)
    demos = result.rounds[1].demonstrations
    assert {"student"} == {demo.origin for demo in demos}
    assert all(demo.label == _truth_of(demo.text) for demo in demos)
    asked_again = annotating.model.prompts[-len(result.rounds[1].asked) :]
    for prompt in asked_again:
        row = text_of(prompt.specific)
        assert 1 == prompt.specific.count(f"<text>{row}</text>")


def test_without_examples_the_model_writes_its_own(tmp_path):
    """Round 1 then shows generated demonstrations, and none of them is a text of the pool."""
    pool = _pool(40)
    result = _run(tmp_path, pool, Annotating().model, user=(), settings=LoopSettings(iterations=1))
    demos = result.rounds[0].demonstrations
    assert {"generated"} == {demo.origin for demo in demos}
    assert not {demo.text for demo in demos} & set(pool.texts)


def test_a_settled_loop_stops_before_training_again(tmp_path):
    """When asking again changes nothing, no further round is trained, the reason is said, the answers are kept."""
    events, trainer = [], TinyTrainer()
    settings = LoopSettings(iterations=5)
    result = _run(tmp_path, _pool(), Annotating(helped=False).model, trainer=trainer, settings=settings, events=events)
    assert (1, [False, True]) == (trainer.fits, [state.settled for state in result.rounds])
    assert any(isinstance(event, Notice) and "settled" in event.message for event in events)


def test_a_settled_round_keeps_what_was_paid_for(tmp_path):
    """Three wrong labels that it mends stay mended, its answers stand in its round with their tokens, and a run that
    comes after it, or is cut off there, does not go on."""
    pool, events = _pool(), []
    settings = LoopSettings(iterations=5, shots=4, stop_changed_share=0.5)
    annotating = Annotating()
    result = _run(tmp_path, pool, annotating.model, settings=settings, events=events)
    first, second = result.rounds
    assert (True, 2, 1.0) == (second.settled, result.best.round, second.metrics["llm_accuracy"])
    assert first.metrics["llm_accuracy"] < second.metrics["llm_accuracy"]
    decided = [one.label for one in decide_final_labels(result.best, TASK.names, abstain_below=0.0)]
    mended = [index for index, note in enumerate(first.annotations) if note.label != second.annotations[index].label]
    assert 3 <= len(mended) == second.metrics["changed"]
    assert [pool.truth[index] for index in mended] == [decided[index] for index in mended]
    [before, after] = [event.metrics["usd"] for event in events if isinstance(event, RoundFinished)]
    assert after > 0.0
    assert pytest.approx([event for event in events if isinstance(event, Spend)][-1].usd, abs=2e-6) == before + after
    asked_before, trainer = len(annotating.model.prompts), TinyTrainer()
    again = _run(tmp_path, pool, annotating.model, settings=settings, trainer=trainer)
    assert (asked_before, 0) == (len(annotating.model.prompts), trainer.fits)
    assert again.best.annotations == second.annotations
    model = RoundStore(tmp_path, question="q").model_folder(2)
    assert (model / "tiny.json").read_bytes() == (model.parents[1] / "round_1" / "model" / "tiny.json").read_bytes()


@pytest.mark.parametrize(
    ("asking", "share"),
    [({"zero_shot": "always"}, 0.3), ({"demonstration_sets": 2, "retrieval": "shared"}, 0.8)],
    ids=["zero-shot", "a second set"],
)
def test_a_budget_reached_in_any_pass_is_told(tmp_path, asking, share):
    """Questions unsent before the first round or in one of its sets: the result says so though every text has an
    answer, and with more money the round is done again."""
    pool, store, annotating = _pool(), MemoryStore(), Annotating()
    settings, events = LoopSettings(iterations=1, shots=2, **asking), []
    user = [*USER, Demonstration("perfect", "happy", "user"), Demonstration("shabby", "angry", "user")]
    run = functools.partial(_run, pool=pool, settings=settings, user=user)
    whole = run(tmp_path / "whole", model=Annotating().model, events=events)
    whole_usd = max(event.usd for event in events if isinstance(event, Spend))
    assert not whole.budget_reached
    found = run(tmp_path, model=annotating.model, store=store, budget=share * whole_usd)
    assert (True, 1) == (found.budget_reached, len(found.rounds))
    assert 1 <= sum(note.label is not None for note in found.best.annotations)
    later = run(tmp_path, model=annotating.model, store=store)
    labels = [[note.label for note in one.best.annotations] for one in (whole, later)]
    assert (False, labels[0]) == (later.budget_reached, labels[1])
    assert 240 == len(annotating.model.prompts) == len({(one.shared, one.specific) for one in annotating.model.prompts})


def test_a_second_run_goes_on_where_the_first_was(tmp_path):
    """Finished rounds are neither asked nor trained again, and the result is the same."""
    pool, store = _pool(), MemoryStore()
    once = LoopSettings(iterations=1, shots=4)
    _run(tmp_path, pool, Annotating().model, settings=once, store=store)
    trainer, annotating = TinyTrainer(), Annotating()
    resumed = _run(tmp_path, pool, annotating.model, trainer=trainer, store=store)
    fresh = _run(tmp_path / "fresh", pool, Annotating().model)
    assert 1 == trainer.fits
    assert len(resumed.rounds[1].asked) == len(annotating.model.prompts)
    assert fresh.best.annotations == resumed.best.annotations


def test_unusable_answers_stay_out_of_training_and_keep_their_row(tmp_path):
    """An answer outside the label set is no label: the text is left to the student, not lost."""
    pool = _pool()
    invalid = frozenset(pool.texts[:6])
    result = _run(tmp_path, pool, Annotating(invalid=invalid).model, settings=LoopSettings(iterations=1))
    notes = result.rounds[0].annotations
    assert len(pool) == len(notes)
    assert [(None, (Status.INVALID_ANSWER,))] * 6 == [(note.label, note.statuses) for note in notes[:6]]
    assert 6 == result.rounds[0].metrics["invalid"]


def test_when_every_answer_is_unusable_the_job_says_so(tmp_path):
    """No label at all is a clear error, not a student trained on nothing."""
    pool = _pool(20)
    with pytest.raises(TrainingError, match="no usable answer for any of 20 texts: 20 replies were without"):
        _run(tmp_path, pool, Annotating(invalid=frozenset(pool.texts)).model)


def test_a_reached_budget_ends_with_what_was_paid_for(tmp_path):
    """The rows that could not be asked are marked and scored by the student; the spend stays below the cap."""
    pool, annotating = _pool(), Annotating()
    result = _run(tmp_path, pool, annotating.model, budget=0.02)
    notes = result.rounds[-1].annotations
    unpaid = [note for note in notes if Status.BUDGET in note.statuses]
    assert result.budget_reached
    assert 0 < len(unpaid) < len(pool)
    assert (len(pool), 2) == result.best.proba.shape


def test_round_numbers_and_metrics_are_told_as_they_finish(tmp_path):
    """Whoever watches hears of each round, with the entry that stands in metrics.json."""
    events = []
    result = _run(tmp_path, _pool(), Annotating().model, events=events)
    told = [event for event in events if isinstance(event, RoundFinished)]
    assert [state.metrics for state in result.rounds] == [event.metrics for event in told]


class OverACluster(TinyTrainer):
    """Says that two processes of a cluster fine-tuned its students."""

    def fit(self, data, **more):
        """See `Trainer.fit`."""
        return dataclasses.replace(super().fit(data, **more), engine="ray", processes=2)


def test_a_round_tells_who_fine_tuned_its_student_where_that_was_a_cluster(tmp_path):
    """The engine and how many processes, also when the round is read from the disk; of this process nothing."""
    result = _run(tmp_path / "here", _pool(), Annotating().model)
    assert not {"training_engine", "training_processes"} & result.rounds[0].metrics.keys()
    _run(tmp_path / "cluster", _pool(), Annotating().model, trainer=OverACluster())
    again = _run(tmp_path / "cluster", _pool(), Annotating().model, trainer=OverACluster())
    assert [("ray", 2)] * 2 == [
        (state.metrics["training_engine"], state.metrics["training_processes"]) for state in again.rounds
    ]


def test_a_free_scoring_model_is_asked_with_several_sets_and_pooled(tmp_path):
    """Each text of round 1 is asked zero-shot and with three sets, but never with a set it stands in itself."""

    def scored(prompt):
        return Reply(scores=(-1.0, -2.0) if _truth_of(prompt.specific) == "happy" else (-2.0, -1.0))

    pool, model = _pool(60), ScriptedModel(scored, style="completion", rows_per_call=16, provider="local")
    model.writes = False
    ledger = Ledger(Price(input=0.0, output=0.0, cached_input=0.0), None)
    annotator = Annotator(model, MemoryStore(), ledger, ignore)
    settings = LoopSettings(iterations=1, shots=4, label_meanings="off")
    loop = Loop(
        task=TASK, pool=pool, annotator=annotator, trainer=TinyTrainer(), settings=settings,
        store=RoundStore(tmp_path, question="q"), evaluation=Evaluation.of(pool), seed=0, emit=ignore,
    )  # fmt: skip
    result = anyio.run(loop.run, ())
    assert {"zero_shot"} == {demo.origin for demo in result.best.demonstrations}
    assert 1.0 == result.best.metrics["llm_accuracy"]
    shown = [prompt for prompt in model.prompts if "Output: " in prompt.shared]
    assert 3 == len({prompt.shared for prompt in shown})
    assert all(text_in(prompt) not in prompt.shared.splitlines() for prompt in shown)


def _scoring_loop(tmp_path, pool, respond, *, annotator=Annotator, settings):
    model = ScriptedModel(respond, style="completion", rows_per_call=16, provider="local")
    model.writes = False
    ledger = Ledger(Price(input=0.0, output=0.0, cached_input=0.0), None)
    return Loop(
        task=TASK, pool=pool, annotator=annotator(model, MemoryStore(), ledger, ignore), trainer=TinyTrainer(),
        settings=settings, store=RoundStore(tmp_path, question="q"), evaluation=Evaluation.of(pool), seed=0,
        emit=ignore,
    )  # fmt: skip


def test_sets_that_make_the_model_guess_do_not_outvote_it(tmp_path):
    """Shown demonstrations, the model answers by coin toss, three times over; what it knew without them stands."""

    def respond(prompt):
        row = prompt.specific.splitlines()[0]
        happy = _truth_of(row) == "happy"
        if "Output: " in prompt.shared:
            happy = zlib.crc32((prompt.shared + row).encode()) % 2 == 0
        return Reply(scores=(-1.0, -2.0) if happy else (-2.0, -1.0))

    settings = LoopSettings(iterations=1, shots=4, label_meanings="off")
    result = anyio.run(_scoring_loop(tmp_path, _pool(), respond, settings=settings).run, ())
    assert 1.0 == result.best.metrics["llm_accuracy"]


class Recording(Annotator):
    """Remembers the prior of each call."""

    priors: list = []  # noqa: RUF012 - one test, emptied by it

    async def annotate(self, requests, *, prior=None, **more):
        self.priors.append((len(requests), prior))
        return await super().annotate(requests, prior=prior, **more)


@pytest.mark.parametrize(("retrieval", "calls"), [("shared", 3), ("nearest", 1)])
def test_later_rounds_expect_the_labels_the_student_expects(tmp_path, retrieval, calls):
    """Texts asked again are no random sample: their calibration uses the label shares that the posterior expects. Of
    probabilities that one more answer cannot turn none is asked for again."""

    def respond(prompt):
        row = prompt.specific.splitlines()[0]
        happy = (_truth_of(row) == "happy") and not (row.split()[-1].isdigit() and _planted(row))
        return Reply(scores=(-1.0, -2.0) if happy else (-2.0, -1.0))

    Recording.priors.clear()
    settings = LoopSettings(iterations=2, shots=4, stop_changed_share=0.0, retrieval=retrieval)
    loop = _scoring_loop(tmp_path, _pool(), respond, annotator=Recording, settings=settings)
    result = anyio.run(loop.run, ())
    first = result.rounds[0]
    best = np.sort(first.posterior, axis=1)
    close = best[:, 1] <= TURNING_ODDS * best[:, 0]
    unclean = np.flatnonzero((first.clean_probability <= settings.clean_threshold) & close)
    assert len(unclean) == first.metrics["left_open"] < (first.clean_probability <= settings.clean_threshold).sum()
    assert [None] * 4 == [prior for _, prior in Recording.priors[:4]]
    expected = first.posterior[unclean].mean(axis=0)
    assert calls == len(Recording.priors[4:])
    for _, prior in Recording.priors[4:]:
        np.testing.assert_allclose(expected, prior)


def text_in(prompt):
    """The row of a completion prompt."""
    return prompt.specific.splitlines()[0]
