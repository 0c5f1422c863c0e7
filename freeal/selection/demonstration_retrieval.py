"""Which demonstrations a row gets: its nearest ones, as many of each label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CHUNK_ROWS = 2048


def nearest(
    queries: np.ndarray,
    pool: np.ndarray,
    pool_label_ids: np.ndarray,
    *,
    shots: int,
    exclude: Sequence[int] | np.ndarray,
    groups: np.ndarray | None = None,
) -> list[list[int]]:
    """Pool positions per query, `shots` at most: the nearest of each label, label by label in turn, nearest last.

    `queries` float [m, d] and `pool` float [k, d] are of unit length; `pool_label_ids` int [k]; `exclude` int [m] is a
    query's own position in the pool, or -1: a row is never its own demonstration. With `groups` int [k] it is the
    query's own group, no text of which is its demonstration either. Every label gets its share of
    `shots`; what one label lacks, the others fill. The last demonstration, which models weigh most, is the most similar
    of all, and each turn through the labels is nearer than the one before.
    """
    by_label = [np.flatnonzero(pool_label_ids == label) for label in np.unique(pool_label_ids)]
    groups = np.arange(len(pool_label_ids)) if groups is None else groups
    found: list[list[int]] = []
    for start in range(0, len(queries), CHUNK_ROWS):
        similarity = queries[start : start + CHUNK_ROWS] @ pool.T
        for row, own in zip(similarity, exclude[start : start + CHUNK_ROWS], strict=True):
            ranked = [_ranked(members[groups[members] != own], row) for members in by_label]
            found.append(_interleaved(ranked, row, shots=shots))
    return found


def shared(pool_label_ids: np.ndarray, *, shots: int, seed: int) -> list[int]:
    """One set for all rows: up to `shots` pool positions, balanced over the labels, label by label in turn."""
    rng = np.random.default_rng(seed)
    by_label = [rng.permutation(np.flatnonzero(pool_label_ids == label)) for label in np.unique(pool_label_ids)]
    order = rng.permutation(len(by_label))
    return [int(position) for turn in _turns([by_label[label] for label in order]) for position in turn][:shots]


def _ranked(members: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    return np.asarray(members[np.argsort(-similarity[members], kind="stable")])


def _interleaved(ranked: list[np.ndarray], similarity: np.ndarray, *, shots: int) -> list[int]:
    # the label of the nearest one first, so that a cut within a turn keeps the nearest; reversed, it comes last
    chosen: list[int] = []
    for turn in _turns(ranked):
        chosen.extend(sorted(turn, key=lambda position: -float(similarity[position])))
    return [int(position) for position in chosen[:shots]][::-1]


def _turns(lists: list[np.ndarray]) -> list[list[int]]:
    longest = max((len(one) for one in lists), default=0)
    return [[int(one[turn]) for one in lists if turn < len(one)] for turn in range(longest)]
