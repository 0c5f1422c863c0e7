"""From which probability each of several labels is given, without ground truth.

A threshold of one half is right for whoever counts every mistake alike; a label that few texts have is then hardly ever
given, for nothing is sure of it. What people want is its F1 (Lipton, Elkan and Narayanaswamy, ECML 2014). It is
expected under what the student was taught, which is the probability that all voices together give each label, at the
probabilities of heads that did not see the text; nothing is measured on what was learned.
"""

from __future__ import annotations

import numpy as np

EVEN = 0.5
FEWEST_EXPECTED = 5.0
"""Texts that are expected to have a label; with fewer its threshold is EVEN."""
_CANDIDATES = np.linspace(0.1, 0.9, 81)
_AS_GOOD = 0.005
"""What F1 may lack for a threshold nearer to EVEN: fewer texts do not move it at random."""


def decision_threshold(proba: np.ndarray, targets: np.ndarray) -> float:
    """The threshold of one label from out-of-fold probabilities and targets, float [n] each, within 0.1 .. 0.9."""
    if targets.sum() < FEWEST_EXPECTED:
        return EVEN
    given = proba[None, :] >= _CANDIDATES[:, None]
    expected = 2.0 * (given * targets).sum(axis=1) / np.maximum(given.sum(axis=1) + targets.sum(), 1e-12)
    good = _CANDIDATES[expected >= expected.max() - _AS_GOOD]
    return round(float(good[np.abs(good - EVEN).argmin()]), 4)
