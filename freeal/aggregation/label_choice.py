"""Which label stands for a distribution over labels.

The likeliest; where labels have an order, the one nearest to all that may be true: it has the least expected distance
in steps, which is the distribution's median. Of "1 star" at 40 %, "4 stars" and "5 stars" at 30 % each, "4 stars".
"""

from __future__ import annotations

import numpy as np

from freeal.types import Kind


def chosen(proba: np.ndarray, kind: Kind) -> np.ndarray:
    """The position of the label for each distribution: int64 [n] of float [n, labels], whose rows sum to 1."""
    if kind in ("single", "tree"):
        return np.asarray(proba.argmax(axis=1))
    reached = np.cumsum(proba, axis=1, dtype=np.float64) < 0.5 * proba.sum(axis=1, dtype=np.float64, keepdims=True)
    return np.asarray(reached.sum(axis=1))


def confidence(proba: np.ndarray, chosen_ids: np.ndarray) -> np.ndarray:
    """The probability of the label that was chosen: float [n]."""
    return np.asarray(np.take_along_axis(proba, chosen_ids[:, None], axis=1)[:, 0])
