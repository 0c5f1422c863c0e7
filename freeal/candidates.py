"""Which labels a text may have, as far as the language model told (CanDist, Xia et al., arXiv 2506.03857)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.types import Annotation

MASS = 0.9
"""A scored distribution's likeliest labels are candidates until they hold this much probability."""
MOST = 3
"""More than three open labels say nothing."""


def candidates_of(annotations: Sequence[Annotation], names: tuple[str, ...]) -> np.ndarray:
    """Bool [n, labels]: the label of each annotation and those it might be as well; nothing where there is no label."""
    found = np.zeros((len(annotations), len(names)), dtype=bool)
    for row, note in zip(found, annotations, strict=True):
        if note.label is None:
            continue
        row[names.index(note.label)] = True
        row[[names.index(name) for name in note.alternatives]] = True
        if note.distribution is not None:
            row[_likeliest(np.array(note.distribution))] = True
    return found


def _likeliest(distribution: np.ndarray) -> np.ndarray:
    order = np.argsort(-distribution, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(distribution[order])[:-1]])
    return np.asarray(order[before < MASS][:MOST])
