"""Demonstrations per row: balanced, near, never the row itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freeal.selection.demonstration_retrieval import nearest_demonstrations, shared_demonstrations

NOT_IN_POOL = np.array([-1])


def on_a_line(*angles: float) -> np.ndarray:
    """Unit vectors whose similarity falls with the difference of their angles."""
    return np.array([[np.cos(angle), np.sin(angle)] for angle in angles], dtype=np.float32)


def test_nearest_of_each_label_and_the_most_similar_last():
    """Two per label, the far turn first, the nearest demonstration at the very end."""
    pool = on_a_line(0.1, 0.2, 0.9, 0.3, 0.4, 1.0)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert [[4, 1, 3, 0]] == nearest_demonstrations(on_a_line(0.0), pool, labels, shots=4, exclude=NOT_IN_POOL)


def test_never_the_row_itself():
    """A query that is in the pool gets its neighbours, not itself."""
    pool = on_a_line(0.0, 0.1, 0.2, 0.3)
    found = nearest_demonstrations(pool, pool, np.array([0, 0, 1, 1]), shots=4, exclude=np.arange(4))
    assert all(row not in chosen for row, chosen in enumerate(found))
    assert [3] * 4 == [len(chosen) for chosen in found]


def test_what_one_label_lacks_the_others_fill():
    """A label with a single demonstration leaves its places to the other."""
    found = nearest_demonstrations(
        on_a_line(0.0), on_a_line(0.1, 0.2, 0.3, 0.4), np.array([0, 1, 1, 1]), shots=4, exclude=NOT_IN_POOL
    )
    assert [0, 1, 2, 3] == sorted(found[0])


def test_more_labels_than_shots():
    """With fewer shots than labels, the labels of the nearest demonstrations are shown."""
    found = nearest_demonstrations(
        on_a_line(0.0), on_a_line(0.3, 0.1, 0.2), np.array([0, 1, 2]), shots=2, exclude=NOT_IN_POOL
    )
    assert [[2, 1]] == found


def test_an_empty_pool_gives_nothing():
    """No demonstrations, no failure."""
    empty = np.empty((0, 2), dtype=np.float32)
    assert [[]] == nearest_demonstrations(on_a_line(0.0), empty, np.empty(0, int), shots=4, exclude=NOT_IN_POOL)
    assert [] == shared_demonstrations(np.empty(0, int), shots=4, seed=0)


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 12), st.integers(0, 5))
def test_shared_is_balanced_and_seeded(labels, shots, seed):
    """No label appears twice more than another that had places left, none twice the same, and a seed decides all."""
    ids = np.array(labels, dtype=int)
    chosen = shared_demonstrations(ids, shots=shots, seed=seed)
    assert min(shots, len(labels)) == len(chosen) == len(set(chosen))
    assert chosen == shared_demonstrations(ids, shots=shots, seed=seed)
    shown = {label: sum(ids[position] == label for position in chosen) for label in set(labels)}
    open_labels = [count for label, count in shown.items() if count < labels.count(label)]
    if open_labels:
        assert max(shown.values()) <= min(open_labels) + 1
