"""Which demonstrations a row gets: its nearest ones, as many of each label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.compute import scratch_arrays

CHUNK_ROWS = 2048


def nearest_demonstrations(
    queries: np.ndarray,
    pool: np.ndarray,
    pool_label_ids: np.ndarray,
    *,
    shots: int,
    exclude: Sequence[int] | np.ndarray,
    groups: np.ndarray | None = None,
    rows: np.ndarray | None = None,
) -> list[list[int]]:
    """Pool positions per query, `shots` at most: the nearest of each label, label by label in turn, nearest last.

    `queries` float [m, d] (those at `rows` int [m] where that is given) and `pool` float [k, d] are of unit length;
    `pool_label_ids` int [k]; `exclude` int [m] is a query's own position in the pool, or -1: a row is never its own
    demonstration. With `groups` int [k] it is the query's own group, no text of which is its demonstration either.
    Every label gets its share of `shots`; what one label lacks, the others fill. The last demonstration, which models
    weigh most, is the most similar of all, and each turn through the labels is nearer than the one before.
    """
    by_label = [np.flatnonzero(pool_label_ids == label) for label in np.unique(pool_label_ids)]
    groups = np.arange(len(pool_label_ids)) if groups is None else groups
    found: list[list[int]] = []
    pool = scratch_arrays.widened(pool)
    for start in range(0, len(queries) if rows is None else len(rows), CHUNK_ROWS):
        piece = slice(start, start + CHUNK_ROWS)
        asked = queries[piece if rows is None else rows[piece]]
        similarity = scratch_arrays.widened(asked) @ pool.T
        own = np.asarray(exclude[start : start + CHUNK_ROWS])
        distance = np.where(groups[None, :] == own[:, None], np.inf, -similarity)
        found += _in_turns([_ranked(members, distance) for members in by_label], distance, shots=shots)
    return found


def shared_demonstrations(pool_label_ids: np.ndarray, *, shots: int, seed: int) -> list[int]:
    """One set for all rows: up to `shots` pool positions, balanced over the labels, label by label in turn."""
    rng = np.random.default_rng(seed)
    by_label = [rng.permutation(np.flatnonzero(pool_label_ids == label)) for label in np.unique(pool_label_ids)]
    order = rng.permutation(len(by_label))
    return [int(position) for turn in _turns([by_label[label] for label in order]) for position in turn][:shots]


def _ranked(members: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """`members` [k] by distance, for each row, [rows, k]."""
    return np.asarray(members[np.argsort(distance[:, members], axis=1, kind="stable")])


def _in_turns(ranked: list[np.ndarray], distance: np.ndarray, *, shots: int) -> list[list[int]]:
    """Of each row the first `shots` positions that are not infinitely far, reversed: within a turn through the labels
    the nearest comes first, so that a cut there keeps it."""
    rows = np.arange(len(distance))[:, None]
    turns = []
    for turn in range(min(shots, max((one.shape[1] for one in ranked), default=0))):
        standing = np.stack([one[:, turn] for one in ranked if turn < one.shape[1]], axis=1)
        turns.append(standing[rows, np.argsort(distance[rows, standing], axis=1, kind="stable")])
    if not turns:
        return [[] for _ in distance]
    order = np.concatenate(turns, axis=1)
    far = np.isinf(distance[rows, order])
    counts = np.minimum((~far).sum(axis=1), shots).tolist()
    kept = order[rows, np.argsort(far, axis=1, kind="stable")].tolist()
    return [row[:count][::-1] for row, count in zip(kept, counts, strict=True)]


def _turns(lists: list[np.ndarray]) -> list[list[int]]:
    longest = max((len(one) for one in lists), default=0)
    return [[int(one[turn]) for one in lists if turn < len(one)] for turn in range(longest)]
