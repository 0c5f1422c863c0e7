"""Representatives are clean, agreed upon, spread out, and as many as there can be."""

from __future__ import annotations

import numpy as np

from freeal.selection import demonstration_selection
from freeal.selection.demonstration_selection import representatives


def circle(angles: np.ndarray) -> np.ndarray:
    """Unit vectors in the plane."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def everything(count: int) -> tuple[np.ndarray, np.ndarray]:
    """All agree, all are clean."""
    return np.ones(count, dtype=bool), np.ones(count, dtype=np.float32)


def test_one_per_cluster():
    """With as many clusters as places, every cluster sends one text."""
    angles = np.concatenate([center + np.linspace(-0.25, 0.25, 7) for center in (0.0, 2.0, 4.0)])
    agree, clean = everything(21)
    chosen = representatives(circle(angles), np.zeros(21, int), agree, clean, per_class=3, top_share=1.0, seed=0)
    assert [0, 1, 2] == sorted(index // 7 for index in chosen)


def test_only_agreed_and_cleanest():
    """Texts the two disagree on, and those outside the top share, are never chosen."""
    rng = np.random.default_rng(0)
    labels, agree = rng.integers(0, 2, 200), rng.random(200) < 0.6
    clean = rng.random(200).astype(np.float32)
    chosen = representatives(circle(rng.random(200) * 6), labels, agree, clean, per_class=4, top_share=0.2, seed=1)
    for label in (0, 1):
        ranked = np.sort(clean[(labels == label) & agree])[::-1]
        mine = [index for index in chosen if labels[index] == label]
        assert 4 == len(mine)
        assert agree[mine].all()
        assert (clean[mine] >= ranked[int(np.ceil(0.2 * len(ranked))) - 1]).all()


def test_near_identical_texts_once():
    """Of texts with the same embedding one is chosen, even where places stay empty."""
    agree, clean = everything(10)
    angles = np.array([0.0] * 8 + [1.0, 2.0])
    chosen = representatives(circle(angles), np.zeros(10, int), agree, clean, per_class=5, top_share=1.0, seed=0)
    assert [0.0, 1.0, 2.0] == sorted(angles[chosen].tolist())


def test_classes_without_candidates_are_absent():
    """A class nobody agrees on, and texts without a label, send nobody; nothing at all is an empty list."""
    labels = np.array([0, 0, 1, 1, -1])
    agree = np.array([True, True, False, False, True])
    vectors = circle(np.arange(5.0))
    chosen = representatives(vectors, labels, agree, np.ones(5), per_class=3, top_share=0.2, seed=0)
    assert [0, 1] == sorted(chosen)
    assert [] == representatives(vectors, labels, np.zeros(5, bool), np.ones(5), per_class=3, top_share=0.2, seed=0)


def test_seeded_and_bounded():
    """The same seed gives the same choice, also where candidates must be sampled."""
    count = demonstration_selection.MAX_CANDIDATES + 500
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    agree, clean = everything(count)
    one, two = (
        representatives(vectors, np.zeros(count, int), agree, clean, per_class=6, top_share=1.0, seed=7) for _ in "12"
    )
    assert one == two
    assert 6 == len(set(one))
