"""Which demonstrations the language model is shown: of which round, nearest by whose eyes, never what is held out."""

from __future__ import annotations

import dataclasses
import json

import anyio
import numpy as np
import pytest

from freeal.annotation.first_demonstrations import starting_demonstrations
from freeal.evaluation.metrics import final_metrics
from freeal.loop.final_label import decide_final_labels
from freeal.settings import LoopSettings, StudentSettings
from freeal.student import untrained_encoder
from freeal.student.encoder import locate_encoder
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.types import Demonstration, Reply

TEXTS = [f"{'good' if number % 2 else 'bad'} film {number}" for number in range(60)]
MOODS = ["happy" if number % 2 else "angry" for number in range(60)]
USER = (Demonstration("superb", "happy", "user"), Demonstration("awful", "angry", "user"))


def _mood(text):
    return "happy" if "good" in text else "angry"


def _chat():
    def respond(prompt):
        if not prompt.labels:
            return json.dumps({"texts": [f"written {prompt.specific[-9:]} {number}" for number in range(4)]})
        return json.dumps({"label": _mood(text_of(prompt.specific)), "confidence": 0.8})

    return ScriptedModel(respond)


def _scorer():
    def respond(prompt):
        label = _mood(prompt.specific.split("Input: ")[-1].splitlines()[0])
        return Reply(scores=tuple(-1.0 if name == label else -3.0 for name in prompt.labels))

    model = ScriptedModel(respond, style="completion", rows_per_call=32)
    model.writes = False
    return model


def _with(loop, **parts):
    return dataclasses.replace(loop, pool=dataclasses.replace(loop.pool, **parts))


def _settings(**keys):
    return LoopSettings(**({"iterations": 2, "shots": 4, "stop_changed_share": 0.0, "clean_threshold": 1.0} | keys))


@pytest.mark.parametrize("chosen", ["first", "student"])
def test_later_rounds_show_what_the_setting_says(open_loop, chosen):
    """`first` shows those of round 1 again; `student` those the student has chosen."""
    model = _chat()
    result = anyio.run(open_loop(TEXTS, model, settings=_settings(demonstrations=chosen)).run, USER)
    first, second = result.rounds
    assert USER == first.demonstrations
    assert (USER if chosen == "first" else first.representatives) == second.demonstrations
    again = [prompt.shared + prompt.specific for prompt in model.prompts[len(TEXTS) :]]
    assert again
    assert [chosen == "first"] * len(again) == ["superb" in prompt for prompt in again]


@pytest.mark.parametrize("in_pool", [None, 2])
def test_demonstrations_beyond_the_pool_are_near_by_the_untrained_encoder(open_loop, in_pool):
    """The student has no view of a text that is none of the pool: then all are compared by the encoder that knows both,
    row by row, though one of them be of the pool."""
    texts = ["good phone one", "bad film two", "superb room"]
    demos = [
        Demonstration("superb phone", "happy", "user"),
        Demonstration("superb film", "happy", "user"),
        Demonstration("superb room", "happy", "student", in_pool),
        Demonstration("awful phone", "angry", "user"),
        Demonstration("awful film", "angry", "user"),
        Demonstration("awful room", "angry", "user"),
    ]
    model = _chat()
    loop = open_loop(texts, model, settings=_settings(shots=2, retrieval="nearest"))
    nonsense = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)

    async def ask():
        await loop.questions.ask_later_round(2, [0, 1], demos, proba=np.full((3, 2), 0.5), embeddings=nonsense)

    anyio.run(ask)
    shown = {text_of(prompt.specific): prompt.shared + prompt.specific for prompt in model.prompts}
    for text, thing in (("good phone one", "phone"), ("bad film two", "film")):
        others = {"phone", "film", "room"} - {thing}
        assert f"superb {thing}" in shown[text]
        assert f"awful {thing}" in shown[text]
        assert not any(f"{mood} {other}" in shown[text] for mood in ("superb", "awful") for other in others)


@pytest.mark.skipif(locate_encoder.packaged_weights() is None, reason="the packaged encoder is not installed")
def test_sentences_are_read_by_an_encoder_of_sentences(encoder_folder):
    """Where the student's own encoder is none, the packaged one compares texts; where it is, it is not loaded twice."""
    texts = ["The phone broke.", "My mobile is defect."]
    own = StudentSettings(model=str(encoder_folder), device="cpu", precision="fp32")
    packaged = untrained_encoder.UntrainedEncoder(own.model_copy(update={"model": locate_encoder.PACKAGED}))
    seen = FrozenTrainer(own).embed(texts)
    assert (2, 384) == seen.shape
    np.testing.assert_allclose(packaged.embed(texts), seen, atol=1e-6)
    itself = FrozenTrainer(own.model_copy(update={"model": locate_encoder.PACKAGED}))
    assert itself._reader is itself._start


@pytest.mark.parametrize("model", [_chat, _scorer])
def test_what_is_held_out_is_never_a_demonstration(open_loop, model):
    """Neither in the first round nor in a later one, nor shows it the style of what is to be written."""
    used = model()
    loop = open_loop(TEXTS, used, settings=_settings(zero_shot="always"), free=True)
    held_out = frozenset(range(10, 60))
    loop = _with(loop, held_out=held_out)
    result = anyio.run(loop.run, ())
    shown = {demo.index for state in result.rounds for demo in (*state.demonstrations, *state.representatives)}
    assert shown - {None}
    assert set() == shown & held_out
    styles = [prompt.shared for prompt in used.prompts if not prompt.labels]
    assert not any(f"{TEXTS[index]}</text>" in style for style in styles for index in held_out)
    assert bool(styles) == (model is _chat)


def test_first_demonstrations_may_be_few_where_most_is_held_out(open_loop):
    """One text is left to show: it is shown alone."""
    loop = open_loop(TEXTS, _scorer(), settings=_settings(zero_shot="always"), free=True)
    loop = _with(loop, held_out=frozenset(range(1, 60)))
    found = anyio.run(lambda: starting_demonstrations(loop.questions, (), indices=list(range(60))))
    assert [0] == [demo.index for demo in found.demonstrations]


@pytest.mark.parametrize("truth", [MOODS, MOODS[::-1], [*MOODS[:20], *[None] * 40], None])
def test_labels_do_not_depend_on_the_truth_where_a_share_is_held_out(open_loop, truth):
    """Right, wrong, partly filled or absent: what is held out is drawn by chance, and the labels are the same."""
    loop = open_loop(TEXTS, _scorer(), settings=_settings(zero_shot="always"), free=True, truth=truth)
    loop = _with(loop, held_out=frozenset(range(0, 60, 3)))
    result = anyio.run(loop.run, ())
    decisions = decide_final_labels(result.best, ("happy", "angry"), abstain_below=0.0)
    said = [(one.label, round(one.confidence, 6)) for one in decisions]
    if truth is not None:
        measured = final_metrics(decisions, loop.pool, ("happy", "angry"))["holdout"]
        assert (20, sum(truth[index] is not None for index in range(0, 60, 3))) == (
            measured["distinct_rows"], measured["evaluated_rows"],
        )  # fmt: skip
    assert said == _expected(open_loop)


def _expected(open_loop):
    loop = open_loop(TEXTS, _scorer(), settings=_settings(zero_shot="always"), free=True, folder="expected")
    loop = _with(loop, held_out=frozenset(range(0, 60, 3)))
    best = anyio.run(loop.run, ()).best
    return [
        (one.label, round(one.confidence, 6))
        for one in decide_final_labels(best, ("happy", "angry"), abstain_below=0.0)
    ]


@pytest.mark.parametrize("retrieval", ["nearest", "shared"])
def test_near_duplicates_are_never_each_others_demonstrations(open_loop, retrieval):
    """A text is not asked with a demonstration of its group, though it be another text; others are."""
    texts = [f"{'good' if number % 4 < 2 else 'bad'} film about a {number // 2}" for number in range(40)]
    texts = [f"{text} once" if number % 2 else text for number, text in enumerate(texts)]
    model = _chat()
    loop = open_loop(texts, model, settings=_settings(shots=8, retrieval=retrieval, demonstration_sets=3))
    loop = _with(loop, groups=tuple(number - number % 2 for number in range(40)))
    anyio.run(loop.run, USER)
    again = model.prompts[len(texts) :]
    assert again
    for prompt in again:
        text = text_of(prompt.specific)
        twin = text.removesuffix(" once") if text.endswith(" once") else f"{text} once"
        assert f"<text>{twin}</text>" not in prompt.shared + prompt.specific
