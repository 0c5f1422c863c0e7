"""Texts that are never demonstrations, so that an accuracy can be given which owes nothing to having been shown.

They are drawn by chance and not by who has a true label: else the labels we give would depend on there being a truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_STREAM = 0x401D
"""Keeps these draws apart from others of the same seed."""


def drawn_holdout(texts: int, *, share: float, seed: int, groups: Sequence[int] | None = None) -> frozenset[int]:
    """Positions of about `share` of so many `texts`, whole `groups` of near duplicates only; never all of them."""
    if share <= 0.0:
        return frozenset()
    kinds = np.arange(texts) if groups is None else np.asarray(groups)
    _, members, sizes = np.unique(kinds, return_inverse=True, return_counts=True)
    order = np.random.default_rng([seed, _STREAM]).permutation(len(sizes))
    taken = np.zeros(len(sizes), dtype=bool)
    taken[order] = np.cumsum(sizes[order]) <= round(share * texts)
    return frozenset(np.flatnonzero(taken[members]).tolist())
