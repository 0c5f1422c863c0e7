"""The clean split finds planted noise and never falls over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeal.selection.clean_split import MIN_PER_CLASS, clean_evenly_over_labels, split_clean


def planted(*, seed: int, right: int = 150, wrong: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses of two classes, in random order, and whether each label is right."""
    rng = np.random.default_rng(seed)
    losses = np.concatenate([rng.gamma(2.0, 0.1, right), rng.normal(2.5, 0.6, wrong).clip(0.5)])
    truth = np.arange(right + wrong) < right
    order = rng.permutation(right + wrong)
    return losses[order], rng.integers(0, 2, right + wrong), truth[order]


@pytest.mark.parametrize("seed", range(5))
def test_planted_noise_is_found(seed):
    """Texts whose losses come from a second, higher distribution are not called clean, and most others are."""
    losses, labels, right = planted(seed=seed)
    trusted = split_clean(losses, labels) > 0.7
    assert 0.97 < right[trusted].mean()
    assert 0.85 < trusted[right].mean()


def test_a_rare_class_is_not_filtered():
    """A class of fewer texts than a mixture can judge stays, whatever its losses."""
    losses = np.concatenate([np.random.default_rng(0).gamma(2.0, 0.1, 200), np.full(MIN_PER_CLASS - 1, 5.0)])
    labels = np.repeat([0, 1], [200, MIN_PER_CLASS - 1])
    assert (split_clean(losses, labels)[200:] == 1).all()


def test_a_hard_class_is_not_taken_for_a_noisy_one():
    """A class whose losses are high throughout keeps most of its texts beside an easy class."""
    rng = np.random.default_rng(1)
    losses = np.concatenate([rng.normal(0.2, 0.05, 200), rng.normal(1.5, 0.05, 160), rng.normal(3.0, 0.1, 40)])
    labels = np.repeat([0, 1], [200, 200])
    clean = split_clean(losses, labels)
    assert 0.9 < (clean[200:360] > 0.7).mean()
    assert 0.1 > (clean[360:] > 0.7).mean()


@pytest.mark.parametrize("losses", [[], [0.3], [0.4, 0.4, 0.4], [1.0] * 40])
def test_what_cannot_be_told_apart_is_clean(losses):
    """No text, one text and equal losses give P(clean) of one each."""
    assert [1.0] * len(losses) == split_clean(np.array(losses), np.zeros(len(losses), dtype=int)).tolist()


def test_almost_all_equal():
    """One odd loss among equal ones is the one that is not clean."""
    clean = split_clean(np.array([0.1] * 60 + [4.0]), np.zeros(61, dtype=int))
    assert (clean[:60] > 0.7).all()
    assert 0.5 > clean[60]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=80), st.integers(1, 3), st.randoms(use_true_random=False))
def test_probabilities_by_position(losses, classes, random):
    """P(clean) lies in 0..1, never rises with the loss within a class, and follows a text when the order changes."""
    values = np.array(losses)
    labels = np.array([random.randrange(classes) for _ in losses])
    clean = split_clean(values, labels)
    assert ((clean >= 0) & (clean <= 1)).all()
    for label in range(classes):
        order = np.argsort(values[labels == label], kind="stable")
        assert (np.diff(clean[labels == label][order]) <= 1e-6).all()
    shuffle = np.array(random.sample(range(len(values)), len(values)))
    np.testing.assert_allclose(clean[shuffle], split_clean(values[shuffle], labels[shuffle]), atol=1e-3)


def test_learning_keeps_the_shares_of_the_labels():
    """A class the split is strict with keeps its share of trusted texts, those of its lowest losses."""
    label_ids = np.repeat([0, 1], [60, 40])
    losses = np.concatenate([np.linspace(0.0, 1.0, 60), np.linspace(0.0, 1.0, 40)])
    strict_with_one = np.where(label_ids == 0, 0.9, 0.1) - losses / 100
    trusted = clean_evenly_over_labels(strict_with_one, losses, label_ids) > 0.7
    assert (36, 24) == (trusted[:60].sum(), trusted[60:].sum())
    assert trusted[:36].all()
    assert trusted[60:84].all()
