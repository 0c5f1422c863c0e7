"""What each text is taught."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training.training_targets import resolve_targets

TRAINERS = [FrozenTrainer, TransformerTrainer]
IDS = np.array([0, 2, NO_LABEL])


def test_without_candidates_a_target_is_the_label():
    """One label each, whatever the student thinks; nothing for a text without one."""
    targets, favoured = resolve_targets(IDS, None, np.full((3, 3), 9.0), labels=3)
    assert [[1, 0, 0], [0, 0, 1], [0, 0, 0]] == targets.tolist()
    assert IDS.tolist() == favoured.tolist()


def test_the_student_decides_among_the_candidates():
    """Its probabilities among the candidates are the target; a label that is none gets nothing, however likely."""
    candidates = np.array([[1, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=bool)
    logits = np.log(np.array([[0.1, 0.3, 0.6], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6]]))
    targets, favoured = resolve_targets(IDS, candidates, logits, labels=3)
    np.testing.assert_allclose([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], targets, atol=1e-6)
    assert [1, 2, NO_LABEL] == favoured.tolist()


def test_the_language_model_has_its_say():
    """Where the student cannot tell, the target is what the weights say; where it can, both count."""
    weights = np.array([[0.8, 0.2, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]])
    targets, favoured = resolve_targets(IDS, weights, np.log(np.array([[1, 1, 1], [1, 3, 1], [1, 1, 1]])), labels=3)
    np.testing.assert_allclose([[0.8, 0.2, 0.0], [0.0, 0.75, 0.25], [0.0, 0.0, 0.0]], targets, atol=1e-6)
    assert [0, 1, NO_LABEL] == favoured.tolist()


def test_the_label_is_always_possible():
    """A label left out of its own candidates is one nevertheless."""
    targets, _ = resolve_targets(np.array([0]), np.array([[False, True, False]]), np.zeros((1, 3)), labels=3)
    assert [[0.5, 0.5, 0.0]] == targets.tolist()


def test_nothing_given_is_changed():
    """Candidates and label ids of the caller stay as they were."""
    ids, candidates = IDS.copy(), np.zeros((3, 3), dtype=bool)
    resolve_targets(ids, candidates, np.eye(3), labels=3)
    assert IDS.tolist() == ids.tolist()
    assert not candidates.any()


@settings_of_hypothesis(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_targets_are_distributions_over_candidates(count, labels, seed):
    """Each target sums to one, stays within its candidates, and the favoured label is one of them."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(-1, labels, count)
    candidates = rng.random((count, labels)) < 0.4
    targets, favoured = resolve_targets(ids, candidates, rng.normal(size=(count, labels)) * 30, labels=labels)
    known = ids != NO_LABEL
    np.testing.assert_allclose(targets.sum(axis=1), known.astype(float), atol=1e-5)
    allowed = candidates.copy()
    allowed[known, ids[known]] = True
    assert not targets[~allowed].any()
    assert allowed[known, favoured[known]].all()
    assert (favoured[~known] == NO_LABEL).all()


def _fit(trainer, settings, texts, labels, candidates):
    return trainer(settings).fit(
        LabelledTexts(texts, labels, candidates=candidates), labels=("good", "bad"), seed=0, on_step=lambda *_: None
    )


@pytest.mark.parametrize("trainer", TRAINERS)
def test_candidates_that_leave_nothing_open_change_nothing(trainer, settings, pool):
    """With the label as its only candidate, the student is the one without candidates, to the last bit."""
    texts, labels = pool[0][:60], [*pool[1][:50], *[NO_LABEL] * 10]
    only = np.zeros((60, 2), dtype=bool)
    only[np.arange(50), labels[:50]] = True
    plain, told = (_fit(trainer, settings, texts, labels, candidates) for candidates in (None, only))
    np.testing.assert_array_equal(plain.proba, told.proba)
    np.testing.assert_array_equal(plain.held_out, told.held_out)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_student_resolves_what_was_left_open(trainer, settings, pool):
    """One label in eight is wrong, as many right ones are left open: the student finds most of what is right."""
    texts, truth = pool[0], np.array(pool[1])
    rng = np.random.default_rng(2)
    open_ = rng.random(len(texts)) < 0.25
    wrong = open_ & (rng.random(len(texts)) < 0.5)
    noisy = np.where(wrong, 1 - truth, truth)
    candidates = np.zeros((len(texts), 2), dtype=bool)
    candidates[np.arange(len(texts)), noisy] = True
    candidates[open_] = True
    found = _fit(trainer, settings, texts, noisy.tolist(), candidates).proba.argmax(axis=1)
    assert 10 < wrong.sum()
    assert 0.65 < (found == truth)[wrong].mean()
    assert 0.8 < (found == truth).mean()
