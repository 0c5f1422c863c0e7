"""Annotators ranked without ground truth."""

from __future__ import annotations

import numpy as np

from freeal.aggregation.learnability import learnability_kappa, weights_by_learnability


def _world(count=200):
    rng = np.random.default_rng(0)
    truth = np.arange(count) % 2
    vectors = rng.normal(size=(count, 8)) + 2.0 * truth[:, None]
    vectors -= vectors.mean(axis=0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), truth


def _with_errors(truth, share, seed=1):
    wrong = np.random.default_rng(seed).random(len(truth)) < share
    return np.where(wrong, 1 - truth, truth)


def test_an_annotator_with_fewer_errors_weighs_more():
    """10 % of random errors beat 30 %, and 30 % beat guessing; the first one's weight is 1."""
    embeddings, truth = _world()
    answers = [_with_errors(truth, 0.3), _with_errors(truth, 0.1), _with_errors(truth, 0.5)]
    third, first, guess = weights_by_learnability(embeddings, answers, labels=2, seed=0)
    assert 1.0 == third
    assert first > 1.5
    assert guess < 0.5


def test_few_texts_say_nothing():
    """Below fifty texts all annotators weigh the same."""
    embeddings, truth = _world(40)
    assert [1.0, 1.0] == weights_by_learnability(embeddings, [truth, 1 - truth], labels=2, seed=0)


def test_an_annotator_of_one_label_is_told_from_nothing():
    """Always the same answer agrees with any prediction by chance alone; unanswered texts do not count."""
    embeddings, truth = _world()
    assert 0.0 == learnability_kappa(embeddings, np.zeros(len(truth), dtype=int), labels=2, seed=0)
    assert 0.0 == learnability_kappa(embeddings, np.full(len(truth), -1), labels=2, seed=0)
