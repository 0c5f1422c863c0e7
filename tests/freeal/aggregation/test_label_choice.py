"""Which label stands for a distribution (freeal/aggregation/label_choice.py)."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.aggregation.label_choice import alternatives_of, chosen_positions, confidence, labels_of


@pytest.mark.parametrize(
    ("proba", "single", "ordinal"),
    [
        ([0.4, 0.0, 0.0, 0.3, 0.3], 0, 3),
        ([0.1, 0.2, 0.4, 0.2, 0.1], 2, 2),
        ([0.5, 0.0, 0.5, 0.0, 0.0], 0, 0),
        ([0.0, 0.0, 0.0, 0.0, 1.0], 4, 4),
    ],
)
def test_an_order_moves_the_choice_to_the_middle(proba, single, ordinal):
    """The likeliest label among names; among labels in order the first with half of the probability up to it."""
    found = np.array([proba])
    assert (single, ordinal) == (chosen_positions(found, "single")[0], chosen_positions(found, "ordinal")[0])


def test_no_other_label_is_nearer_on_average():
    """Over 2,000 random distributions nothing has a smaller expected distance than what is chosen."""
    proba = np.random.default_rng(5).dirichlet(np.full(5, 0.4), size=2_000)
    steps = np.abs(np.arange(5)[:, None] - np.arange(5)[None, :])
    expected = proba @ steps
    taken = expected[np.arange(2_000), chosen_positions(proba, "ordinal")]
    assert np.allclose(taken, expected.min(axis=1))
    assert (expected[np.arange(2_000), chosen_positions(proba, "single")] > taken + 0.01).any()


def test_rows_that_do_not_quite_sum_to_one_have_a_label():
    """Rounding never leads past the last label; the confidence is that of the label chosen."""
    proba = np.full((1, 3), 1e-7, dtype=np.float32)
    assert 1 == chosen_positions(proba, "ordinal")[0]
    assert proba[0, :1].tolist() == confidence(proba, chosen_positions(proba, "ordinal")).tolist()


def test_several_labels_are_chosen_each_by_itself():
    """Each that reaches its threshold, joined in order; the probability is that of exactly these."""
    proba = np.array([[0.9, 0.4, 0.2], [0.1, 0.2, 0.1]])
    labels, sure = labels_of(proba, ("a", "b", "c"), "multi", (0.5, 0.3, 0.5))
    assert ["a;b", "(none)"] == labels
    assert pytest.approx([0.9 * 0.4 * 0.8, 0.9 * 0.8 * 0.9]) == sure.tolist()
    assert "a" == labels_of(proba, ("a", "b", "c"), "multi")[0][0]
    with pytest.raises(ValueError, match="no single position"):
        chosen_positions(proba, "multi")


def test_the_two_likeliest_combinations():
    """How open several labels are is told by the likeliest combination and the next one: against all 8 of three."""
    rng = np.random.default_rng(1)
    proba = rng.random((50, 3))
    found = alternatives_of(proba, "multi")
    every = np.array([[bits >> place & 1 for place in range(3)] for bits in range(8)], dtype=bool)
    shares = np.sort(np.where(every[None], proba[:, None], 1 - proba[:, None]).prod(axis=2), axis=1)
    assert np.allclose(shares[:, :-3:-1], found)
