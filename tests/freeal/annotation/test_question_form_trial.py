"""The form of the question is found on a sample, without truth, and every later question keeps to it."""

from __future__ import annotations

import dataclasses
import random

import anyio
import pytest

from freeal.annotation.question_form import PLAIN
from freeal.annotation.question_form_trial import TRIAL_TEXTS, FormChoice, form_choice, trial_answers
from freeal.events import Notice
from freeal.llm.store.answer_store import MemoryStore
from freeal.settings import LoopSettings
from freeal.testing.scripted_model import ScriptedModel
from freeal.types import Reply

PLAIN_MARK, BEST_MARK = "Input: ", "Text: "
MANY_TEXTS = [f"{'good' if number % 2 else 'bad'} film {number}" for number in range(TRIAL_TEXTS + 10)]
TEXTS = MANY_TEXTS[:80]


def _scorer():
    """Right where it is asked in a pair of lines without meanings, led by chance in any other form."""

    def respond(prompt):
        row = prompt.specific.splitlines()[-2]
        is_best = row.startswith(BEST_MARK) and "Question" not in prompt.specific and "angry\n" not in prompt.shared
        happy = "good" in row if is_best else bool(random.Random(row).randrange(2))
        return Reply(scores=tuple(-1.0 if (name == "happy") == happy else -3.0 for name in prompt.labels))

    model = ScriptedModel(respond, style="completion", rows_per_call=64, concurrency=1)
    model.writes = False
    return model


def _settings(**keys):
    return LoopSettings(**({"iterations": 2, "shots": 4, "label_meanings": "off"} | keys))


def _marks(prompts):
    return {prompt.specific.splitlines()[-2].partition(": ")[0] + ": " for prompt in prompts}


def test_the_form_whose_labels_follow_from_the_texts_is_taken(open_loop):
    """It is found among all, on no more texts than said, told; what follows is asked in it, demonstrations too."""
    events, model = [], _scorer()
    loop = open_loop(MANY_TEXTS, model, settings=_settings(iterations=1), free=True, form="auto", emit=events.append)
    result = anyio.run(loop.run, ())
    choice = result.forms[0]
    assert "Text: {text}\nCategory: {label}" == choice.template
    assert (TRIAL_TEXTS, choice.template) == (choice.texts, max(choice.tried, key=lambda one: one.kappa).template)
    trial, rest = model.prompts[: 3 * TRIAL_TEXTS], model.prompts[3 * TRIAL_TEXTS :]
    assert {PLAIN_MARK, BEST_MARK} == _marks(trial)
    assert {BEST_MARK} == _marks(rest)
    assert any("Text: bad film" in prompt.shared and "\nCategory: angry\n\n" in prompt.shared for prompt in rest)
    told = [event.message for event in events if isinstance(event, Notice) and "asked as" in event.message]
    assert ["script-1 is asked as Text: {text} / Category: {label}, out of 3 forms tried on 200 texts"] == told


def test_the_trial_is_part_of_the_zero_shot_pass(open_loop):
    """No question is sent twice: what the form that is taken was tried on is answered."""
    model = _scorer()
    anyio.run(open_loop(TEXTS, model, settings=_settings(iterations=1), free=True, form="auto").run, ())
    assert len(model.prompts) == len(set(model.prompts))


def test_where_a_text_may_have_several_labels_none_is_tried(open_loop):
    """Each label is scored by itself there: the plain form is taken, and nothing is asked for a trial."""
    model = _scorer()
    loop = open_loop(TEXTS, model, settings=_settings(iterations=1), free=True, form="auto")
    questions = loop.questions
    several = dataclasses.replace(questions, task=dataclasses.replace(questions.task, kind="multi"))
    assert FormChoice() == anyio.run(form_choice, several, range(len(TEXTS)))
    assert [] == model.prompts
    assert [0, 2 * min(TRIAL_TEXTS, len(TEXTS))] == [
        trial_answers("auto", len(TEXTS), task=one.task, text_columns=("text",)) for one in (several, questions)
    ]


def test_a_form_that_is_not_clearly_better_is_not_taken(open_loop):
    """Where every form gives the same labels the plain one stays, and all were tried."""
    model = _scorer()
    model.respond = lambda prompt: Reply(
        scores=tuple(-1.0 if (name == "happy") == ("good" in prompt.specific) else -3.0 for name in prompt.labels)
    )
    loop = open_loop(TEXTS[:60], model, settings=_settings(iterations=1), free=True, form="auto")
    choice = anyio.run(loop.run, ()).forms[0]
    assert PLAIN.template == choice.template
    assert 3 == len(choice.tried)


@pytest.mark.parametrize("count", [20, 60])
def test_where_sentiment_is_asked_the_pair_is_taken_without_a_trial(open_loop, count):
    """However few texts there are, and nothing is asked for a trial, nor foreseen for one."""
    model = _scorer()
    loop = open_loop(TEXTS[:count], model, settings=_settings(iterations=1), free=True, form="auto")
    asked = dataclasses.replace(loop.questions, task=dataclasses.replace(loop.task, description="Their sentiment?"))
    assert FormChoice("Text: {text}\nSentiment: {label}") == anyio.run(form_choice, asked, range(count))
    assert [] == model.prompts
    assert 0 == trial_answers("auto", count, task=asked.task, text_columns=("text",))


class _KilledError(BaseException):
    """Stands for a kill: nothing handles it."""


def _killed_after(calls):
    model, sent = _scorer(), []
    answering = model.respond

    def respond(prompt):
        sent.append(prompt)
        if len(sent) > 64 * calls:
            raise _KilledError
        return answering(prompt)

    model.respond = respond
    return model


@pytest.mark.parametrize("calls", [2, 5])
def test_a_killed_job_asks_on_in_the_same_form_and_pays_once(open_loop, calls):
    """Killed in the middle of the trial, or behind it, the second run sends only what is missing and ends where an
    undisturbed one does."""

    def run(model, **keys):
        loop = open_loop(TEXTS, model, settings=_settings(iterations=1), free=True, form="auto", **keys)
        return anyio.run(loop.run, ())

    whole, second, store = _scorer(), _scorer(), MemoryStore()
    undisturbed = run(whole, folder="whole")
    with pytest.raises(_KilledError):
        run(_killed_after(calls), store=store)
    kept = len(store)
    resumed = run(second, store=store)
    assert 0 < kept
    assert len(whole.prompts) == kept + len(second.prompts)
    assert undisturbed.forms == resumed.forms
    said = [[(note.label, note.distribution) for note in run.best.annotations] for run in (undisturbed, resumed)]
    assert said[0] == said[1]


def test_a_remembered_form_needs_no_trial(open_loop):
    """Not even an answer that is stored: with another store, a job goes on in the form it had."""
    first = anyio.run(open_loop(TEXTS, _scorer(), settings=_settings(iterations=1), free=True, form="auto").run, ())
    model = _scorer()
    second = anyio.run(open_loop(TEXTS, model, settings=_settings(), free=True, form="auto").run, ())
    assert first.forms == second.forms
    assert {BEST_MARK} == _marks(model.prompts)


@pytest.mark.parametrize(
    ("form", "count", "mark"),
    [
        ("plain", 80, PLAIN_MARK),
        ("Film: {text}\nMood: {label}", 80, "Film: "),
        ("auto", 49, PLAIN_MARK),
    ],
)
def test_nothing_is_tried_where_the_form_is_given_or_too_few_texts_could_tell(open_loop, form, count, mark):
    """All questions are in one form from the first."""
    model = _scorer()
    result = anyio.run(open_loop(TEXTS[:count], model, settings=_settings(iterations=1), free=True, form=form).run, ())
    assert {mark} == _marks(model.prompts)
    assert () == result.forms[0].tried


def test_a_model_that_follows_instructions_is_asked_as_ever(open_loop):
    """Whatever the setting says: same prompts, no trial, nothing told."""
    events, asked = [], []
    for form in ("plain", "auto"):
        model = ScriptedModel(lambda prompt: '{"label": "happy", "confidence": 0.8}')
        loop = open_loop(
            TEXTS[:60], model, settings=_settings(iterations=1), form=form, folder=form, emit=events.append
        )
        anyio.run(loop.run, ())
        asked.append(model.prompts)
    assert asked[0] == asked[1]
    assert not [event for event in events if isinstance(event, Notice) and "asked as" in event.message]
