"""Two scripted language models in one loop: a cascade, and voices side by side."""

from __future__ import annotations

import dataclasses
import json
import re

import anyio
import numpy as np
import pytest

from freeal.annotation.annotator import Annotator
from freeal.events import Notice, ignore
from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.final_label import decide_final_labels
from freeal.selection.query_selection import PILOT_TEXTS
from freeal.settings import LoopSettings, Price
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.types import Demonstration, Status

LABELS = ("happy", "angry")
USER = (Demonstration("superb", "happy", "user"), Demonstration("awful", "angry", "user"))
TEXTS = [f"{'great lovely' if n % 2 else 'broken awful'} thing number {n}" for n in range(160)]
TRUTH = ["happy" if n % 2 else "angry" for n in range(160)]
CHEAP, DEAR = Price(input=1.0, output=1.0), Price(input=10.0, output=10.0)


def _number(prompt):
    return int(re.findall(r"number (\d+)", text_of(prompt.specific))[-1])


def _model(name, wrong):
    """A language model that errs on the texts whose number `wrong` says."""

    def respond(prompt):
        if "number" not in text_of(prompt.specific):
            return json.dumps({"label": "happy"})
        number = _number(prompt)
        label = TRUTH[number] if not wrong(number) else LABELS[TRUTH[number] == "happy"]
        return json.dumps({"label": label, "confidence": 0.9})

    return ScriptedModel(respond, model=name, concurrency=1)


def _cheap():
    return _model("cheap", lambda number: number % 3 == 0)


def _dear():
    return _model("dear", lambda number: number % 40 == 0)


@pytest.fixture
def run(open_loop):
    """Run a loop with two language models; gives its result, the loop, and what was told."""

    def running(cheap, dear, *, use="cascade", budget_usd=None, folder="rounds", **settings):
        told = []
        loop = open_loop(
            TEXTS, cheap, truth=TRUTH, budget_usd=budget_usd, emit=told.append, folder=folder,
            settings=LoopSettings(**{"iterations": 1, "shots": 4} | settings),
        )  # fmt: skip
        second = Annotator(dear, MemoryStore(), loop.annotator.ledger.beside(DEAR, model="dear"), ignore)
        loop = dataclasses.replace(loop, further=(second,), llm_use=use)
        return anyio.run(loop.run, USER), loop, told

    return running


def _right(labels):
    return float(np.mean([a == b for a, b in zip(labels, TRUTH, strict=True)]))


def test_the_dear_one_sees_what_is_left_open_and_mends_it(run):
    """It answers fifty texts drawn by chance and those the posterior leaves open, each once; its labels stand, and the
    final ones are better than the cheap one's."""
    cheap, dear = _cheap(), _dear()
    result, _, told = run(cheap, dear)
    first, second = result.rounds
    asked = [_number(prompt) for prompt in dear.prompts]
    assert len(set(asked)) == len(asked) == len(second.asked)
    assert PILOT_TEXTS <= len(asked) < 160
    assert {1} == {note.annotator for note in second.asked}
    assert all(second.annotations[note.index].label == note.label for note in second.asked)
    finals = [one.label for one in decide_final_labels(result.best, LABELS, abstain_below=0.0)]
    assert _right([note.label for note in first.annotations]) + 0.1 < _right(finals)
    assert any(isinstance(event, Notice) and event.message.startswith("cascade: dear gives") for event in told)


def test_each_keeps_what_it_said_and_what_it_cost(run):
    """Opinions of both, money by model that adds up to the ledger's, and an error of each, the cheap one's larger."""
    result, loop, _ = run(_cheap(), _dear())
    best = result.best
    assert 2 == len(best.opinions)
    assert all(note.label is not None for note in best.opinions[0])
    said = [note for note in best.opinions[1] if note.label is not None]
    assert len(said) == len(best.asked)
    assert all(note.statuses == (Status.NOT_ASKED,) for note in best.opinions[1] if note.label is None)
    parts = [part for state in result.rounds for part in state.metrics["annotators"]]
    assert [0, 1] == [part["annotator"] for part in parts]
    assert loop.annotator.ledger.usd == pytest.approx(sum(part["usd"] for part in parts), abs=1e-5)
    assert parts[1]["usd"] > 5 * parts[0]["usd"] * parts[1]["asked"] / parts[0]["asked"]
    assert best.metrics["estimated_errors"]["1"] < best.metrics["estimated_errors"]["0"]


def test_a_good_first_model_leaves_little_open(run):
    """Where the first is always right, the second agrees in the pilot and is asked about few more; where it errs in a
    third of the texts, about more."""
    good, poor = _dear(), _dear()
    run(_model("cheap", lambda _: False), good)
    run(_cheap(), poor, folder="of the poor")
    assert len(good.prompts) + 20 < len(poor.prompts)


def test_the_cap_holds_for_both_and_the_most_open_come_first(run):
    """At the cap the dear one stops; what it answered beyond its pilot is what was most open after the pilot."""
    result, loop, _ = run(_cheap(), _dear(), budget_usd=0.16)
    assert result.budget_reached
    assert loop.annotator.ledger.usd <= 0.16
    last = result.rounds[-1]
    answered = [note.label is not None for note in last.asked[PILOT_TEXTS:]]
    assert any(answered)
    assert not all(answered)
    assert answered == sorted(answered, reverse=True)


def test_a_cap_that_the_first_reaches_leaves_the_second_unasked(run):
    """No money is left to look twice."""
    dear = _dear()
    result, _, _ = run(_cheap(), dear, budget_usd=0.01)
    assert result.budget_reached
    assert [] == dear.prompts


def test_side_by_side_asks_both_about_everything(run):
    """In the first round each text twice, by one model each; in later rounds both again about what is open."""
    cheap, dear = _cheap(), _dear()
    result, _, _ = run(cheap, dear, use="side_by_side", iterations=2)
    first = result.rounds[0]
    assert [0] * 160 + [1] * 160 == [note.annotator for note in first.asked]
    assert [0, 1] == [part["annotator"] for part in first.metrics["annotators"]]
    for state in result.rounds[1:]:
        by_model = [[note.index for note in state.asked if note.annotator == place] for place in (0, 1)]
        assert by_model[0] == by_model[1]
    finals = [one.label for one in decide_final_labels(result.best, LABELS, abstain_below=0.0)]
    assert _right([note.label for note in first.opinions[0]]) < _right(finals)


def test_a_cascade_that_was_killed_goes_on(run):
    """The same loop again asks nothing and gives the same."""
    cheap, dear = _cheap(), _dear()
    first, _, _ = run(cheap, dear)
    before = len(cheap.prompts), len(dear.prompts)
    again, _, _ = run(cheap, dear)
    assert before == (len(cheap.prompts), len(dear.prompts))
    assert first.best.opinions == again.best.opinions
    assert (first.best.posterior == again.best.posterior).all()


def test_a_second_model_without_usable_answers_changes_nothing(run):
    """Its answers are of no use: the first one's labels stay, and the round says how many were invalid."""
    result, _, _ = run(_cheap(), ScriptedModel(lambda _: "no idea", model="dear", concurrency=1))
    last = result.rounds[-1]
    assert last.metrics["invalid"] == len(last.asked)
    assert [note.label for note in result.rounds[0].annotations] == [note.label for note in last.annotations]
