"""Which demonstrations and labels each text is asked with, and a share of the pool per round."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import numpy as np
import pytest

from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.final_label import decide_final_labels
from freeal.results.finished_run import Answerer, FinishedRun
from freeal.results.output_files import ANNOTATED_COLUMNS, _annotated_rows
from freeal.settings import LoopSettings
from freeal.table import Dialect, Table
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Demonstration, Reply, Status

TEXTS = [f"{'good' if number % 2 else 'bad'} film {number}" for number in range(100)]
MOODS = ["happy" if number % 2 else "angry" for number in range(100)]
USER = (Demonstration("superb", "happy", "user"), Demonstration("awful", "angry", "user"))


def _mood(text):
    return "happy" if "good" in text else "angry"


def _chat(verdict=_mood):
    return ScriptedModel(lambda prompt: json.dumps({"label": verdict(text_of(prompt.specific)), "confidence": 0.8}))


def _scorer():
    def respond(prompt):
        label = _mood(prompt.specific.split("Input: ")[-1].splitlines()[0])
        return Reply(scores=tuple(-1.0 if name == label else -3.0 for name in prompt.labels))

    model = ScriptedModel(respond, style="completion", rows_per_call=32)
    model.writes = False
    return model


def _share(**keys):
    return LoopSettings(**({"iterations": 3, "shots": 4, "annotate_share": 0.1, "stop_changed_share": 0.0} | keys))


def test_a_share_per_round_and_not_a_text_more(open_loop):
    """A tenth of a hundred texts is ten questions per round, thirty in three; later ones are put where the posterior
    is least sure among what is not clean."""
    model = _chat()
    result = anyio.run(open_loop(TEXTS, model, settings=_share()).run, USER)
    assert [10, 10, 10] == [len(state.asked) for state in result.rounds] == [s.metrics["asked"] for s in result.rounds]
    assert 30 == len(model.prompts)
    for before, after in zip(result.rounds, result.rounds[1:], strict=False):
        unclean = [
            index
            for index, note in enumerate(before.annotations)
            if note.label is None or before.clean_probability[index] <= 0.9
        ]
        surest = before.posterior.max(axis=1)
        asked = {note.index for note in after.asked}
        assert asked <= set(unclean)
        assert max(surest[list(asked)]) <= min(surest[[index for index in unclean if index not in asked]])


def test_the_first_share_stands_for_the_whole_pool(open_loop):
    """Each of three kinds of texts is asked about as often as it is due, give or take one."""
    texts = [f"{kind} " * 6 + str(number) for number, kind in enumerate(["film"] * 60 + ["phone"] * 30 + ["food"] * 10)]
    result = anyio.run(open_loop(texts, _chat(), settings=_share(iterations=1, annotate_share=0.2)).run, USER)
    kinds = [texts[note.index].split()[0] for note in result.best.asked]
    assert np.abs(np.array([kinds.count(kind) for kind in ("film", "phone", "food")]) - [12, 6, 2]).max() <= 1


def test_unasked_rows_are_the_students(open_loop):
    """A row nobody asked about says so, has the student's label, and stands in its place: rows in, rows out."""
    loop = open_loop(TEXTS, _chat(), settings=_share(iterations=1))
    state = anyio.run(loop.run, USER).best
    decisions = decide_final_labels(state, ("happy", "angry"), abstain_below=0.0)
    unasked = [note for note in state.annotations if note.statuses == (Status.NOT_ASKED,)]
    assert 90 == len(unasked)
    assert {("student", 0, None)} == {
        (decisions[n.index].source, n.round, decisions[n.index].llm_label) for n in unasked
    }
    table = Table(Path("t.csv"), ("text",), [[text] for text in TEXTS], [], Dialect())
    rows = list(_annotated_rows(table, loop.pool, decisions, state.annotations))
    assert TEXTS == [row[0] for row in rows]
    statuses = [row[1 + ANNOTATED_COLUMNS.index("freeal_status")] for row in rows]
    assert [90, 10] == [statuses.count("not_asked"), statuses.count("ok")]
    assert all(row[1] for row in rows)


def test_a_killed_job_with_a_share_goes_on(open_loop):
    """The second run asks what the first one had not, and ends where an uninterrupted one does."""
    store = MemoryStore()
    anyio.run(open_loop(TEXTS, _chat(), settings=_share(iterations=1), store=store).run, USER)
    model, trainer = _chat(), TinyTrainer()
    resumed = anyio.run(open_loop(TEXTS, model, settings=_share(), store=store, trainer=trainer).run, USER)
    fresh = anyio.run(open_loop(TEXTS, _chat(), settings=_share(), folder="fresh").run, USER)
    assert (2, 20) == (trainer.fits, len(model.prompts))
    assert fresh.best.annotations == resumed.best.annotations


@pytest.mark.parametrize("share", [0.001, 0.014, 1.0])
def test_a_share_is_one_text_at_least_and_all_at_most(open_loop, share):
    """A thousandth of a hundred texts is one; everything is everything."""
    result = anyio.run(open_loop(TEXTS, _chat(), settings=_share(iterations=1, annotate_share=share)).run, USER)
    assert (100 if share == 1.0 else 1) == len(result.best.asked)


def test_accuracy_is_that_of_what_was_asked(open_loop):
    """Rows nobody asked about are nobody's mistakes: neither zero-shot nor later figures count them, and a share of
    zero-shot answers is held against its own rows."""
    loop = open_loop(TEXTS, _scorer(), truth=MOODS, free=True, settings=_share(iterations=2))
    result = anyio.run(loop.run, USER)
    assert 10 == len(result.zero_shot)
    assert [1.0, 1.0] == [state.metrics["llm_accuracy"] for state in result.rounds]
    run = FinishedRun(
        "j", None, None, {}, None, loop.pool, (Answerer("local", "m", "completion"),), {}, None, result, [], ""
    )  # fmt: skip
    assert {"llm_zero_shot": 1.0, "llm_first_round": 1.0} == run._baseline_accuracies()


def test_a_reached_budget_in_a_share(open_loop):
    """What the money did not reach is marked with the budget, what the share left out as not asked."""
    result = anyio.run(open_loop(TEXTS, _chat(), settings=_share(annotate_share=0.5), budget_usd=0.01).run, USER)
    statuses = [note.statuses for note in result.best.annotations]
    assert result.budget_reached
    assert 50 == statuses.count((Status.NOT_ASKED,))
    assert 50 == statuses.count((Status.OK,)) + statuses.count((Status.BUDGET,))
    assert 0 < statuses.count((Status.BUDGET,)) < 50


@pytest.mark.parametrize(("free", "wanted", "sets"), [(True, None, 3), (False, None, 1), (False, 2, 2), (True, 1, 1)])
def test_as_many_sets_as_wanted(open_loop, free, wanted, sets):
    """Three sets where asking is free, one where it costs, or as many as the setting says; each balanced."""
    demos = [
        Demonstration(f"{'good' if n % 2 else 'bad'} {n}", "happy" if n % 2 else "angry", "user") for n in range(12)
    ]
    settings = LoopSettings(iterations=1, shots=4, demonstration_sets=wanted, zero_shot="never")
    model = _chat()
    anyio.run(open_loop(TEXTS[:20], model, settings=settings, free=free).run, demos)
    shown = {prompt.shared for prompt in model.prompts}
    assert (sets, 20 * sets) == (len(shown), len(model.prompts))
    assert all([2, 2] == [one.count("Label: happy"), one.count("Label: angry")] for one in shown)


def test_the_same_set_twice_is_asked_once(open_loop):
    """With no more demonstrations than shots there is one set, whatever the setting."""
    settings = LoopSettings(iterations=1, shots=1, demonstration_sets=5)
    model = _chat()
    anyio.run(open_loop(TEXTS[:20], model, settings=settings).run, USER[:1])
    assert 20 == len(model.prompts)


@pytest.mark.parametrize("retrieval", ["nearest", "shared"])
def test_no_row_is_shown_itself(open_loop, retrieval):
    """Neither among its own demonstrations nor in a set of all rows, where a row is left out instead."""
    settings = LoopSettings(iterations=3, shots=8, retrieval=retrieval, clean_threshold=1.0, stop_changed_share=0.0)
    model = _chat()
    result = anyio.run(open_loop(TEXTS[:30], model, settings=settings).run, USER)
    assert 3 == len(result.rounds)
    for prompt in model.prompts:
        row = text_of(prompt.specific)
        assert 1 == (prompt.shared + prompt.specific).count(f"<text>{row}</text>")


def test_many_labels_are_asked_with_the_nearest_ones(open_loop):
    """From 25 labels on each row has a list of sixteen, the one its words name among them; 24 need none."""
    names = [f"topic{number}" for number in range(30)]
    texts = [f"about topic{number}" for number in range(30)]
    for labels in (names, names[:24]):
        model = _chat(lambda text: text.split()[-1])
        questions = open_loop(texts[: len(labels)], model, labels=labels, folder=str(len(labels))).questions
        lists = anyio.run(questions.shortlists, list(range(len(labels))), None)
        if len(labels) == 24:
            assert [None] * 24 == lists
        else:
            assert {16} == {len(one) for one in lists}
            assert all(names[row] in one for row, one in enumerate(lists))


def test_with_many_labels_each_row_has_its_nearest_demonstrations_from_the_start(open_loop):
    """One set could not show thirty labels: round 1 already chooses for each row among what the user gave."""
    names = [f"topic{number}" for number in range(30)]
    demos = [Demonstration(f"all about topic{number}", name, "user") for number, name in enumerate(names)]
    model = _chat(lambda text: text.split()[-1])
    settings = LoopSettings(iterations=1, shots=3)
    loop = open_loop([f"about topic{number}" for number in range(30)], model, labels=names, settings=settings)
    result = anyio.run(loop.run, demos)
    assert names == [note.label for note in result.best.annotations]
    for prompt in model.prompts:
        topic = text_of(prompt.specific).split()[-1]
        assert 3 == prompt.specific.count("Label: ")
        assert f"Label: {topic}\n" in prompt.specific


def test_ranked_candidates_reach_the_posterior(open_loop):
    """With loop.candidates ranked a round's annotations have distributions, which no nearness to meanings is joined to,
    and the final confidence follows them."""

    def respond(prompt):
        good = 0.9 if "good" in text_of(prompt.specific) else 0.2
        told = {"happy": good, "angry": round(1 - good, 2)}
        return json.dumps({"label": "happy" if good > 0.5 else "angry", "confidence": 0.9, "probabilities": told})

    settings = LoopSettings(iterations=1, shots=4, candidates="ranked")
    result = anyio.run(open_loop(TEXTS, ScriptedModel(respond), settings=settings).run, USER)
    assert all(note.distribution is not None for note in result.best.annotations)
    assert 2 == len({note.distribution for note in result.best.annotations})
