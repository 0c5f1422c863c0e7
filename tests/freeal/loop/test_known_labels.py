"""freeal/loop/known_labels.py in the loop: what a person said and what an earlier version was answered."""

from __future__ import annotations

import anyio
import pytest

from freeal.annotation.annotator import Annotator
from freeal.corrections.review_queue import review_queue
from freeal.evaluation.metrics import Evaluation
from freeal.events import ignore
from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.final_label import decide_final_labels
from freeal.loop.freeal_loop import Loop
from freeal.loop.known_labels import Known
from freeal.loop.round_store import RoundStore
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import Pool
from freeal.settings import LoopSettings
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Annotation, Demonstration, Label, Status, Task

TASK = Task("Is the customer happy?", (Label("happy"), Label("angry")))
COUNT = 60


def _truth(number):
    return ("happy", "angry")[number % 2]


def _pool():
    words = {"happy": "great lovely", "angry": "broken awful"}
    rows = tuple(range(COUNT))
    return Pool(tuple(f"{words[_truth(row)]} thing {row}" for row in rows), rows, rows, ("text",))


def _answers(prompt):
    """Wrong about the texts 0 to 4."""
    number = int(text_of(prompt.specific).rsplit(" ", 1)[1])
    return f'{{"label": "{_truth(number + (number < 5))}", "confidence": 0.9}}'


def _run(folder, model, known, *, iterations=1):
    loop = Loop(
        task=TASK,
        pool=_pool(),
        annotator=Annotator(model, MemoryStore(), Ledger(None, None, model="script-1"), ignore),
        trainer=TinyTrainer(),
        settings=LoopSettings(iterations=iterations, shots=2, stop_changed_share=0.0),
        store=RoundStore(folder, question="q"),
        evaluation=Evaluation.of(_pool()),
        seed=0,
        emit=ignore,
        known=known,
    )
    return anyio.run(loop.run, (Demonstration("great", "happy", "user"), Demonstration("awful", "angry", "user")))


def test_a_text_a_person_labelled_is_never_asked_about_and_keeps_the_label(tmp_path):
    """Whatever the language model and the student say: the label is final, certain, and its source is named."""
    model = ScriptedModel(_answers)
    result = _run(tmp_path, model, Known(confirmed={0: "angry", 7: "angry"}), iterations=2)
    asked = {text_of(prompt.specific) for prompt in model.prompts}
    assert not {_pool().texts[0], _pool().texts[7]} & asked
    decided = decide_final_labels(result.best, TASK.names, abstain_below=0.0)
    assert ("angry", 1.0, "corrected") == (decided[0].label, decided[0].confidence, decided[0].source)
    assert (Status.CORRECTED,) == result.best.annotations[7].statuses
    assert 1.0 == result.best.clean_probability[0]


def test_an_earlier_versions_answers_are_trained_on_without_a_question(tmp_path):
    """One round: no call, the old answers, and the corrections in their place."""
    first = _run(tmp_path / "first", ScriptedModel(_answers), Known()).best
    model = ScriptedModel(_answers)
    known = Known(first.annotations, first.representatives, {number: _truth(number) for number in range(5)})
    second = _run(tmp_path / "second", model, known).best
    assert [] == model.calls
    assert first.annotations[5:] == second.annotations[5:]
    assert [_truth(number) for number in range(COUNT)] == [note.label for note in second.annotations]
    assert (5, 0) == (second.metrics["changed"], second.metrics["asked"])


def test_asking_again_leaves_out_what_a_person_said(tmp_path):
    """With a second round the unclean rest is asked again, shown what the corrected student chose."""
    first = _run(tmp_path / "first", ScriptedModel(_answers), Known()).best
    model = ScriptedModel(_answers)
    corrected = {number: _truth(number) for number in range(4)}
    result = _run(tmp_path / "second", model, Known(first.annotations, first.representatives, corrected), iterations=2)
    assert model.calls
    assert not set(corrected) & {note.index for state in result.rounds for note in state.asked}
    assert {"student"} == {demo.origin for demo in result.rounds[1].demonstrations}


def test_a_text_without_an_answer_may_be_added(tmp_path):
    """A row that came with the corrections has no answer: it is learned from all the same."""
    first = _run(tmp_path / "first", ScriptedModel(_answers), Known()).best
    new = Annotation(COUNT - 1, None, 0.0, (Status.NOT_ASKED,), 0)
    known = Known((*first.annotations[:-1], new), first.representatives, {COUNT - 1: "angry"})
    assert "angry" == _run(tmp_path / "second", ScriptedModel(_answers), known).best.annotations[-1].label


@pytest.mark.parametrize("confirmed", [{}, {0: "angry", 1: "angry", 2: "angry"}])
def test_the_review_queue_leaves_out_what_a_person_has_seen(tmp_path, confirmed):
    """Nobody is asked twice."""
    state = _run(tmp_path, ScriptedModel(_answers), Known(confirmed=confirmed)).best
    queue = review_queue(state, _pool(), decide_final_labels(state, TASK.names, abstain_below=0.0))
    assert COUNT // 10 == len(queue)
    assert bool(confirmed) != bool({0, 1, 2} & {look.index for look in queue})
