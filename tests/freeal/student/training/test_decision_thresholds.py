"""Thresholds of several labels (freeal/student/training/decision_thresholds.py)."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from freeal.student.training.decision_thresholds import EVEN, decision_threshold


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_a_label_that_nothing_is_sure_of_is_given_all_the_same(share):
    """Probabilities that are right but never high: at the threshold F1 on drawn labels is that of the best one, at one
    half next to nothing is found."""
    rng = np.random.default_rng(0)
    proba = rng.beta(2 * share, 2 * (1 - share), size=4_000) * 0.6
    truth = rng.random(4_000) < proba
    found = decision_threshold(proba, proba)
    best = max(f1_score(truth, proba >= one) for one in np.linspace(0.05, 0.9, 86))
    assert f1_score(truth, proba >= found) > best - 0.02
    assert f1_score(truth, proba >= EVEN) < best - 0.1


def test_few_expected_texts_and_sure_ones_leave_it_even():
    """Where fewer than five texts are expected to have the label, or all is clear, the threshold is one half."""
    assert EVEN == decision_threshold(np.full(40, 0.1), np.full(40, 0.1))
    sure = np.array([0.99] * 30 + [0.01] * 70)
    assert EVEN == decision_threshold(sure, sure)
