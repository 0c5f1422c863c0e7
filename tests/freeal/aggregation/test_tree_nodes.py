"""Probabilities along a tree of labels, and what backs off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.aggregation.label_posterior import evidence_of, label_posterior
from freeal.aggregation.tree_nodes import below_branch, deepest_nodes, node_probabilities, within_branches
from freeal.text import label_paths
from freeal.types import Annotation, Status

LEAVES = ("a / x / 1", "a / x / 2", "a / y", "b / z", "c")


@given(st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5), st.floats(0.05, 1.0))
def test_probabilities_add_up_and_nodes_reach_the_threshold(weights, threshold):
    """A node's probability is the sum of the labels below it; a named node reaches the threshold or is a top one, and
    the likeliest node below it does not reach it."""
    proba = np.array([weights]) / sum(weights)
    names, shares = node_probabilities(proba, LEAVES)
    by_name = dict(zip(names, shares[0].tolist(), strict=True))
    for node in names:
        below = [place for place, leaf in enumerate(LEAVES) if label_paths.is_below(leaf, node)]
        assert pytest.approx(by_name[node]) == proba[0, below].sum()
    [node], [share] = deepest_nodes(proba, LEAVES, threshold=threshold)
    assert pytest.approx(by_name[node]) == share
    assert share >= threshold - 1e-5 or label_paths.SEPARATOR not in node
    children = [one for one in names if one != node and label_paths.on_the_way(one)[:-1][-1:] == (node,)]
    assert all(by_name[child] < threshold for child in children)


def test_a_row_backs_off_as_far_as_it_must():
    """One sure of a label, one of a branch, one of nothing."""
    proba = np.array([[0.9, 0.1, 0, 0, 0], [0.3, 0.3, 0.3, 0.1, 0], [0.2, 0.2, 0, 0.3, 0.3]])
    nodes, shares = deepest_nodes(proba, LEAVES, threshold=0.5)
    assert ["a / x / 1", "a / x", "a"] == nodes
    assert pytest.approx([0.9, 0.6, 0.4]) == shares


def test_a_branch_leaves_the_labels_below_it_to_others():
    """An answer that names a branch keeps the order of the labels below it, and makes others less likely."""
    proba = np.array([[0.1, 0.2, 0.1, 0.5, 0.1], [0.2] * 5])
    weights = np.stack([below_branch("a / x", LEAVES, confidence=0.9), np.ones(5)])
    found = within_branches(proba, weights)
    assert pytest.approx(2.0) == found[0, 1] / found[0, 0]
    assert pytest.approx(0.27 / 0.34) == found[0, :2].sum()
    assert proba[1].tolist() == found[1].tolist()


def test_partial_answers_are_voices():
    """In the posterior a branch outweighs a student that is undecided between it and another."""
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 5
    logits = 2.0 * np.eye(5)[truth] + rng.normal(scale=0.3, size=(60, 5))
    logits[0] = [1.0, 1.0, -2.0, 1.1, -2.0]
    notes = [Annotation(index, LEAVES[label], 0.9, (Status.OK,), 1) for index, label in enumerate(truth)]
    notes[0] = Annotation(0, None, 0.9, (Status.OK,), 1, branch="a / x")
    evidence = evidence_of(notes, LEAVES)
    assert evidence.answered.all()
    proba = label_posterior(evidence, logits).proba
    assert pytest.approx(1.0) == proba[0].sum()
    assert proba[0, :2].sum() > 0.8


def test_partial_answers_are_voices_of_a_part_of_the_texts():
    """Where some of many texts are weighed alone, an answer that names a branch counts as it does among all."""
    notes = [Annotation(index, LEAVES[index % 5], 0.9, (Status.OK,), 1) for index in range(60)]
    notes[7] = Annotation(7, None, 0.9, (Status.OK,), 1, branch="a / x")
    part = evidence_of(notes, LEAVES).part(np.array([7, 8]))
    assert part.answered.all()
    proba = part.targets(np.zeros((2, 5)))
    assert proba[0, :2].sum() > 0.7 > proba[1, :2].sum()
