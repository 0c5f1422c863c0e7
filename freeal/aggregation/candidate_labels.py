"""Which labels a text may have, as far as the language model told (CanDist, Xia et al., arXiv 2506.03857)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.types import Annotation

MASS = 0.9
"""A scored distribution's likeliest labels are candidates until they hold this much probability."""
MOST = 3
"""More than three open labels say nothing."""
LEAST_WEIGHT = 0.05
"""Of a label that was named, however sure the language model was of another."""


def candidates_of(annotations: Sequence[Annotation], names: tuple[str, ...]) -> np.ndarray:
    """Weights float64 [n, labels]: how likely the language model holds the label of each annotation and those it might
    be as well; 0 for all others, and where there is no label."""
    found = np.zeros((len(annotations), len(names)))
    for row, note in zip(found, annotations, strict=True):
        if note.label is None:
            continue
        if note.distribution is not None:
            shares = np.array(note.distribution)
            likeliest = _likeliest(shares)
            row[likeliest] = shares[likeliest]
        for name in note.alternatives:
            row[names.index(name)] = max((1.0 - note.confidence) / len(note.alternatives), LEAST_WEIGHT)
        row[names.index(note.label)] = max(note.confidence, LEAST_WEIGHT)
    return found


def _likeliest(distribution: np.ndarray) -> np.ndarray:
    order = np.argsort(-distribution, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(distribution[order])[:-1]])
    return np.asarray(order[before < MASS][:MOST])
