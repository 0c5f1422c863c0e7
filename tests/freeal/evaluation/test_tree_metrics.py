"""Figures along a tree of labels, against counts by hand."""

from __future__ import annotations

import pytest

from freeal.evaluation.tree_metrics import tree_metrics

LEAVES = ("a / x / 1", "a / x / 2", "a / y", "b / z", "c")


def test_half_right_counts_half():
    """Sets of nodes on the way (Kiritchenko et al. 2006): of three given and three true nodes two are shared."""
    found = tree_metrics(["a / x / 1"], ["a / x / 2"], LEAVES)
    assert pytest.approx(2 / 3, abs=1e-4) == found["hierarchical_precision"] == found["hierarchical_recall"]
    assert [1.0, 1.0, 0.0] == found["accuracy_by_level"]
    assert 0.0 == found["on_the_way"]


def test_a_branch_is_right_as_far_as_it_goes():
    """What stops early has precision 1, and is not right at the levels it does not name."""
    found = tree_metrics(["a / x / 1", "b / z"], ["a / x", "b"], LEAVES)
    assert (1.0, 0.6, 1.0) == (found["hierarchical_precision"], found["hierarchical_recall"], found["on_the_way"])
    assert [1.0, 0.5, 0.0] == found["accuracy_by_level"]


def test_a_partial_truth_counts_at_the_levels_it_names():
    """A label below a true branch is right there, and neither right nor wrong below."""
    found = tree_metrics(["a", "a / x"], ["a / y", "a / x / 2"], LEAVES)
    assert 1.0 == found["hierarchical_f1"] == found["on_the_way"]
    assert [1.0, 1.0] == found["accuracy_by_level"]


def test_rows_without_a_node_are_left_out():
    """As of labels in an order."""
    assert {} == tree_metrics(["c"], [None], LEAVES)
    assert tree_metrics(["c"], ["c"], LEAVES) == tree_metrics(["c", "b / z"], ["c", None], LEAVES)
