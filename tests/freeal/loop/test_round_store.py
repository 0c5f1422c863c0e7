"""Rounds on disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from freeal.loop.round_store import RoundStore
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import Training
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Annotation, Demonstration, Status


def _training():
    return TinyTrainer().fit(
        LabelledTexts(["good", "bad"], [1, 0]), labels=("no", "yes"), seed=0, on_step=lambda done, total: None
    )


def _saved(tmp_path, make_round):
    training: Training = _training()
    state = make_round(["yes", None], [0.9, 0.0], training.proba)
    store = RoundStore(tmp_path, question="q")
    store.save_round(state, training.student)
    return store, state


def test_a_round_comes_back_as_it_was_saved(tmp_path, make_round):
    """Annotations, arrays and metrics survive the way through the disk."""
    store, state = _saved(tmp_path, make_round)
    loaded = store.load_round(1)
    assert (state.asked, state.annotations, state.metrics) == (loaded.asked, loaded.annotations, loaded.metrics)
    np.testing.assert_array_equal(state.proba, loaded.proba)
    assert (store.model_folder(1) / "tiny.json").exists()


def test_a_saved_round_reads_its_arrays_from_the_disk(tmp_path, make_round):
    """So those of all rounds together need not be in memory; they stay when the folder goes."""
    training = _training()
    state = make_round(["yes", None], [0.9, 0.0], training.proba)
    kept = RoundStore(tmp_path, question="q").save_round(state, training.student)
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    RoundStore(tmp_path, question="another")
    np.testing.assert_array_equal(state.embeddings, kept.embeddings)
    assert not kept.embeddings.flags.writeable


def test_a_round_that_was_not_finished_is_not_there(tmp_path, make_round):
    """What a kill leaves of a half-written round is never taken for one, and does not stand in the way."""
    store, _ = _saved(tmp_path, make_round)
    finished = store.model_folder(1).parent
    finished.rename(finished.with_name(".round_1.tmp"))
    assert RoundStore(tmp_path, question="q").load_round(1) is None
    store, _ = _saved(tmp_path, make_round)
    assert store.load_round(1) is not None


def test_a_round_of_another_version_is_computed_again(tmp_path, make_round):
    """Another format is set aside, not misread: the answers are in the store, so it costs nothing."""
    store, _ = _saved(tmp_path, make_round)
    path = store.model_folder(1).parent / "round.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    assert store.load_round(1) is None
    assert not path.exists()


def test_demonstrations_keep_their_origin(tmp_path, make_round):
    """Where a demonstration came from is part of the record."""
    training = _training()
    demo = Demonstration("good", "yes", "student", 0)
    state = dataclasses.replace(make_round(["yes", "no"], [0.9, 0.9], training.proba), representatives=(demo,))
    store = RoundStore(tmp_path, question="q")
    store.save_round(state, training.student)
    assert (demo,) == store.load_round(1).representatives


def test_rounds_of_another_question_are_not_taken_for_this_one(tmp_path, make_round):
    """A mended CSV or another setting starts from the first round, and the old rounds go."""
    old, _ = _saved(tmp_path, make_round)
    assert RoundStore(tmp_path, question="another").load_round(1) is None
    assert not old.model_folder(1).exists()


def test_answers_of_all_kinds_come_back_to_the_last_bit(tmp_path, make_round):
    """Labels, probabilities, statuses, alternatives, weights; an answer that is not the best known of its text too."""
    training = _training()
    third = 1.0 / 3.0
    best = (
        Annotation(0, "yes", third, (Status.TRUNCATED, Status.OK), 2, (third, 1.0 - third), ("no",), weight=0.1),
        Annotation(1, None, 0.0, (Status.NOT_ASKED,), 0),
    )
    worse = Annotation(0, None, 0.0, (Status.REFUSED,), 2, from_store=True)
    state = dataclasses.replace(
        make_round(["yes", None], [0.9, 0.0], training.proba), annotations=best, asked=(worse, best[1])
    )
    store = RoundStore(tmp_path, question="q")
    store.save_round(state, training.student)
    loaded = store.load_round(1)
    assert (best, (worse, best[1])) == (loaded.annotations, loaded.asked)
    assert loaded.annotations[1] is loaded.asked[1]
