"""Texts that are nearly the same are found, and stand on one side of every split."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from freeal.compute.listener import unwatched
from freeal.pool import near_duplicates
from freeal.pool.holdout import drawn_holdout
from freeal.selection.demonstration_retrieval import nearest_demonstrations
from freeal.settings import StudentSettings
from freeal.student.finetune_trainer import _held_out
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.training import linear_probe
from freeal.testing.tiny_encoder import WORDS as KNOWN

VOCABULARY = KNOWN.split()
WORDS = [f"word{number}" for number in range(2_000)]


def _texts(count, seed=0, length=20):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=length)) for _ in range(count)]


def _changed(text, words=1):
    parts = text.split()
    for place in range(words):
        parts[3 + 5 * place] = "other"
    return " ".join(parts)


def test_a_word_changed_is_the_same_and_unrelated_texts_are_not():
    """Of 200 copies with one of 20 words changed nearly all are found, and no other pair is."""
    texts = _texts(200)
    found = near_duplicates.near_duplicate_groups([*texts, *(_changed(text) for text in texts)])
    assert list(range(200)) == list(found[:200])
    assert 190 <= sum(leader == index for index, leader in enumerate(found[200:]))
    assert {leader - index for index, leader in enumerate(found[200:])} <= {0, 200}


def test_case_and_punctuation_do_not_tell_texts_apart():
    """What is left are the words, in order; two words changed are another text."""
    (text,) = _texts(1)
    assert (0, 0, 2) == near_duplicates.near_duplicate_groups([text, text.upper() + "!!", _changed(text, 3)])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), unique=True, max_size=30))
def test_any_texts_have_groups_led_by_their_first(texts):
    """Whatever the texts: a leader stands before its followers, and follows nobody."""
    found = near_duplicates.near_duplicate_groups(texts)
    assert len(texts) == len(found)
    assert all(leader <= index and found[leader] == leader for index, leader in enumerate(found))


def test_a_text_of_megabytes_is_looked_at_in_part():
    """What stands behind the first thousand words changes nothing, and costs nothing."""
    text = " ".join(WORDS[:1_500])
    assert (0, 0) == near_duplicates.near_duplicate_groups([text, text + " more" * 2_000_000])


def test_a_group_that_is_much_of_the_pool_is_let_go():
    """A template in which one word changes would leave no text to learn from; a small group stays."""
    (template,) = _texts(1)
    many = [f"{template} {number}" for number in range(60)]
    texts = [*many, *_texts(40, seed=1)]
    assert tuple(range(100)) == near_duplicates.near_duplicate_groups(texts)
    assert [0] * 9 == list(near_duplicates.near_duplicate_groups([*many[:9], *_texts(91, seed=1)])[:9])


def test_folds_keep_groups_together_and_labels_even():
    """Cross-validation never learns from a near duplicate of what it judges."""
    rng = np.random.default_rng(0)
    groups = np.arange(200)
    groups[100:150] = np.arange(50)
    labels = rng.integers(0, 2, 200)
    folds = linear_probe.folds_of(labels, seed=0, groups=groups)
    assert all(folds[index] == folds[leader] for index, leader in enumerate(groups))
    assert np.ptp(np.bincount(folds)) < 30
    np.testing.assert_array_equal(
        linear_probe.folds_of(labels, seed=0), linear_probe.folds_of(labels, seed=0, groups=np.arange(200))
    )


def test_a_leak_is_closed():
    """Random labels, every text there twice: a probe that may see the twin predicts them, one that may not cannot."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(100, 128)), 2, axis=0)
    labels = np.repeat(rng.integers(0, 2, 100), 2)
    groups = np.repeat(np.arange(0, 200, 2), 2)

    def right(**how):
        return np.mean(
            linear_probe.fit_probe(features, labels, labels=2, seed=0, **how).held_out.argmax(axis=1) == labels
        )

    assert 0.75 < right()
    assert right(groups=groups) < 0.65


def test_trainers_judge_a_text_by_heads_that_saw_no_like_of_it(encoder_folder):
    """Labels at random, every text there twice but for a word: what the other copy says makes a wrong label look right,
    unless the two are one group."""
    rng = np.random.default_rng(0)
    first = [" ".join(rng.choice(VOCABULARY, 12)) for _ in range(20)]
    texts = [text for one in first for text in (one, f"{one} day")]
    labels = np.repeat(rng.permutation(20) % 2, 2)
    trainer = FrozenTrainer(StudentSettings(model=str(encoder_folder), device="cpu", precision="fp32"))

    def loss(groups):
        data = LabelledTexts(texts, labels.tolist(), groups=groups)
        return trainer.fit(data, labels=("a", "b"), seed=0, on_step=unwatched).losses.mean()

    assert loss(None) + 0.03 < loss(np.arange(40) // 2 * 2)


def test_a_group_of_which_a_part_must_be_learned_from_is_learned_from_as_a_whole():
    """A class too small to spare a text keeps those near it out of calibration."""
    groups = np.arange(400)
    groups[396:] = np.arange(40, 44)
    labels = np.zeros(400, dtype=int)
    labels[396:] = 1
    for seed in range(30):
        chosen = _held_out(labels, np.random.default_rng(seed), confirmed=None, groups=groups)
        assert chosen.any()
        assert not chosen[40:44].any()


def test_calibration_texts_have_no_near_duplicate_that_is_learned_from():
    """Whole groups are held out of training, still a tenth at most."""
    groups = np.arange(400)
    groups[200:] = np.arange(200)
    labels = np.arange(400) % 2
    chosen = _held_out(labels, np.random.default_rng(0), confirmed=None, groups=groups)
    assert 30 <= chosen.sum() <= 40
    assert all(chosen[index] == chosen[leader] for index, leader in enumerate(groups))


def test_no_near_duplicate_is_a_demonstration():
    """The nearest of another group is chosen, however near its like are."""
    vectors = np.array([[1.0, 0.0], [0.999, 0.04], [0.0, 1.0]], dtype=np.float32)
    rows = vectors[:1]
    labels = np.array([0, 0])
    assert [[1]] == nearest_demonstrations(rows, vectors[1:], labels, shots=2, exclude=[0], groups=np.array([0, 2]))


def test_the_held_out_share_takes_whole_groups_and_looks_at_nothing_else():
    """A third of the texts, the same for the same seed; none where none is wanted."""
    groups = np.arange(300)
    groups[150:] = np.arange(150)
    found = drawn_holdout(300, share=1 / 3, seed=0, groups=groups.tolist())
    assert 98 <= len(found) <= 100
    assert all((index in found) == (int(leader) in found) for index, leader in enumerate(groups))
    assert found == drawn_holdout(300, share=1 / 3, seed=0, groups=groups.tolist())
    assert found != drawn_holdout(300, share=1 / 3, seed=1, groups=groups.tolist())
    assert frozenset() == drawn_holdout(300, share=0.0, seed=0)
