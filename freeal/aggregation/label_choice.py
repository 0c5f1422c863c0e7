"""Which label stands for a distribution over labels.

The likeliest; where labels have an order, the one nearest to all that may be true: it has the least expected distance
in steps, which is the distribution's median. Of "1 star" at 40 %, "4 stars" and "5 stars" at 30 % each, "4 stars".
Where a text may have several, each whose own probability reaches its threshold, as one string
(freeal/text/joined_labels.py); the probability of exactly these is the product over all labels, each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.aggregation.label_membership import joined_names
from freeal.types import Kind

EVEN = 0.5
"""The threshold of each of several labels, where no other is given."""


def chosen_positions(proba: np.ndarray, kind: Kind) -> np.ndarray:
    """The position of the label for each distribution: int64 [n] of float [n, labels], whose rows sum to 1.

    Raises ValueError where a text may have several labels: see `labels_of`.
    """
    if kind == "multi":
        raise ValueError("of several labels there is no single position")
    if kind in ("single", "tree"):
        return np.asarray(proba.argmax(axis=1))
    reached = np.cumsum(proba, axis=1, dtype=np.float64) < 0.5 * proba.sum(axis=1, dtype=np.float64, keepdims=True)
    return np.asarray(reached.sum(axis=1))


def confidence(proba: np.ndarray, chosen_ids: np.ndarray) -> np.ndarray:
    """The probability of the label that was chosen: float [n]."""
    return np.asarray(np.take_along_axis(proba, chosen_ids[:, None], axis=1)[:, 0])


def members(proba: np.ndarray, thresholds: Sequence[float] | None = None) -> np.ndarray:
    """Which of several labels each text has: bool [n, labels] of their own probabilities [n, labels]; `thresholds`
    [labels], EVEN where None."""
    return np.asarray(proba >= (EVEN if thresholds is None else np.asarray(thresholds)))


def of_members(proba: np.ndarray, chosen_members: np.ndarray) -> np.ndarray:
    """The probability of exactly the labels chosen, bool [n, labels]: float64 [n], a product over labels."""
    own = np.asarray(proba, dtype=np.float64)
    return np.asarray(np.where(chosen_members, own, 1.0 - own).prod(axis=1))


def labels_of(
    proba: np.ndarray, names: Sequence[str], kind: Kind, thresholds: Sequence[float] | None = None
) -> tuple[list[str], np.ndarray]:
    """What stands for each row of `proba` [n, labels], as it stands in files, and its probability, float [n]."""
    if kind == "multi":
        own = members(proba, thresholds)
        return joined_names(own, names), of_members(proba, own)
    ids = chosen_positions(proba, kind)
    return [names[position] for position in ids], confidence(proba, ids)


def alternatives_of(proba: np.ndarray, kind: Kind) -> np.ndarray:
    """Probabilities of labels that exclude each other, float [n, labels], for whoever asks how open a text is; of
    several, the two likeliest combinations, [n, 2]: the second differs in the label that is least sure."""
    if kind != "multi":
        return proba
    sure = np.maximum(np.asarray(proba, dtype=np.float64), 1.0 - np.asarray(proba, dtype=np.float64))
    best = sure.prod(axis=1)
    least = np.maximum(sure.min(axis=1), EVEN)
    return np.stack([best, best * (1.0 - least) / least], axis=1)
