"""The first demonstrations: written ones are new, right and balanced; found ones are the surest rows."""

from __future__ import annotations

import json
from collections import Counter

import anyio
import numpy as np
import pytest

from freeal.annotation.first_demonstrations import starting_demonstrations
from freeal.settings import LoopSettings
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.types import Demonstration, Reply

TEXTS = [f"a {'good' if number % 2 else 'bad'} film {number}" for number in range(400)]
GOOD = [f"good thing {number}" for number in range(8)]
BAD = [f"bad thing {number}" for number in range(8)]


def _mood(text):
    return "happy" if "good" in text.casefold() else "angry"


def _writer(happy, angry, verdict=_mood):
    def respond(prompt):
        if not prompt.labels:
            return json.dumps({"texts": happy if '"happy"' in prompt.specific else angry})
        label = verdict(text_of(prompt.specific))
        return "no idea" if label is None else json.dumps({"label": label, "confidence": 0.9})

    return ScriptedModel(respond)


@pytest.fixture
def start(open_loop):
    """The first demonstrations a model gives, and the zero-shot annotations."""

    def starting(model, *, user=(), indices=None, texts=TEXTS, **parts):
        questions = open_loop(texts, model, **parts).questions
        indices = range(len(texts)) if indices is None else indices
        return anyio.run(lambda: starting_demonstrations(questions, user, indices=list(indices)))

    return starting


def test_written_ones_are_eight_of_each_label(start):
    """The model writes class by class, sees ten rows as examples of the style, and no label stands beside them."""
    model = _writer(GOOD, BAD)
    found = start(model)
    assert [*GOOD, *BAD] == [demo.text for demo in found.demonstrations]
    assert {"generated"} == {demo.origin for demo in found.demonstrations}
    writing = [prompt for prompt in model.prompts if not prompt.labels]
    assert [10, 10] == [prompt.shared.count("</text>") for prompt in writing]
    assert all("Label:" not in prompt.shared for prompt in writing)


def test_rows_of_the_pool_are_no_demonstrations(start):
    """A row that comes back, in another case and with other spaces, is dropped: it would meet itself."""
    leaked = ["A  GOOD film 7", TEXTS[9].upper(), f"\t{TEXTS[11]} "]
    found = start(_writer([*leaked, *GOOD[:3]], BAD[:3]))
    assert [*GOOD[:3], *BAD[:3]] == [demo.text for demo in found.demonstrations]


def test_the_same_text_for_two_labels_counts_once(start):
    """A repetition, also in another case, is dropped, whichever label it comes back for."""
    found = start(_writer([*GOOD[:2], "GOOD  thing 1"], ["Good Thing 0", *BAD[:2]]))
    assert [*GOOD[:2], *BAD[:2]] == [demo.text for demo in found.demonstrations]


def test_texts_the_model_itself_labels_otherwise_are_dropped(start):
    """Asked for the label of what it wrote, the model takes two back; one without a usable answer stays."""
    model = _writer(
        [*GOOD[:4], "bad in truth"],
        [*BAD[:4], "good in truth"],
        lambda text: None if text == GOOD[0] else _mood(text),
    )
    assert [*GOOD[:4], *BAD[:4]] == [demo.text for demo in start(model).demonstrations]


def test_a_label_keeps_its_texts_where_the_check_would_take_all(start):
    """Better doubtful demonstrations of a label than none."""
    found = start(_writer(GOOD[:3], BAD[:3], lambda _: "happy"))
    assert Counter(happy=3, angry=3) == Counter(demo.label for demo in found.demonstrations)


def test_no_label_has_more_than_twice_as_many_as_another(start):
    """A label with two texts leaves the other four of its eight, the first ones."""
    found = start(_writer(GOOD, BAD[:2]))
    assert [*GOOD[:4], *BAD[:2]] == [demo.text for demo in found.demonstrations]


def test_a_small_pool_is_not_checked(start):
    """Where the check would cost more than a tenth of the job, what was written is taken as it is."""
    model = _writer(GOOD, BAD, lambda _: "happy")
    found = start(model, texts=TEXTS[:100])
    assert 16 == len(found.demonstrations)
    assert 2 == len(model.prompts)


def test_examples_of_the_user_come_first(start):
    """With them nothing is written and nothing is asked."""
    user = (Demonstration("superb", "happy", "user"),)
    model = _writer(GOOD, BAD)
    assert user == start(model, user=user).demonstrations
    assert [] == model.prompts


def _scorer():
    def respond(prompt):
        row = prompt.specific.splitlines()[0]
        sure = 1.0 + (int(row.split()[-1]) % 7) / 2
        return Reply(scores=(-1.0, -1.0 - sure) if _mood(row) == "happy" else (-1.0 - sure, -1.0))

    model = ScriptedModel(respond, style="completion", rows_per_call=64)
    model.writes = False
    return model


def test_a_model_that_cannot_write_shows_its_surest_rows(start):
    """Ten of each label, surer than most, at their own pool indices."""
    found = start(_scorer(), free=True)
    assert Counter(happy=10, angry=10) == Counter(demo.label for demo in found.demonstrations)
    assert {"zero_shot"} == {demo.origin for demo in found.demonstrations}
    assert all(TEXTS[demo.index] == demo.text for demo in found.demonstrations)
    assert 0.8 < np.mean([_mood(demo.text) == demo.label for demo in found.demonstrations])
    confidence = np.array([note.confidence for note in found.annotations])
    assert confidence.mean() < confidence[[demo.index for demo in found.demonstrations]].mean()


def test_only_texts_that_may_be_asked_are(start):
    """With a share of the pool, zero-shot answers and surest rows are of that share only."""
    found = start(_scorer(), free=True, indices=range(300, 380))
    assert set(range(300, 380)) == {note.index for note in found.annotations}
    assert found.demonstrations
    assert all(300 <= demo.index < 380 for demo in found.demonstrations)


def test_without_zero_shot_there_is_nothing_to_be_sure_of(start):
    """Told never to ask without demonstrations, a model that cannot write begins with none."""
    model = _scorer()
    found = start(model, free=True, settings=LoopSettings(zero_shot="never"))
    assert ((), ()) == (found.demonstrations, found.annotations)
    assert [] == model.prompts
