"""Whom to ask when not everybody can be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from freeal.selection import query_selection
from freeal.selection.query_selection import most_open_queries, spread_queries


def _clusters(*sizes, seed=0):
    """Groups of unit vectors that lie close together, and the group of each."""
    rng = np.random.default_rng(seed)
    centers = np.eye(len(sizes), 16)
    group = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centers[group] + rng.normal(scale=0.02, size=(sum(sizes), 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), group


def test_each_region_gives_its_share():
    """A tenth of four groups is a tenth of each, give or take one, whatever order the texts stand in."""
    vectors, group = _clusters(400, 300, 200, 100)
    order = np.random.default_rng(1).permutation(1000)
    chosen = spread_queries(vectors[order], 100, seed=0)
    counts = np.bincount(group[order][chosen])
    assert 100 == len(set(chosen)) == counts.sum()
    assert np.abs(counts - [40, 30, 20, 10]).max() <= 2


def test_a_share_of_a_few_finds_every_region():
    """Where each group is due one text, none is left out."""
    vectors, group = _clusters(50, 50, 50, 50)
    for seed in range(5):
        assert {0, 1, 2, 3} == set(group[spread_queries(vectors, 8, seed=seed)].tolist())


def test_the_seed_decides():
    """The same seed gives the same texts, another one others."""
    vectors, _ = _clusters(100, 100)
    assert spread_queries(vectors, 20, seed=3) == spread_queries(vectors, 20, seed=3)
    assert spread_queries(vectors, 20, seed=3) != spread_queries(vectors, 20, seed=4)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 4), st.integers(0, 9))
def test_exactly_as_many_as_asked_for(size, count, different, seed):
    """Ascending positions without repetition, all where there are no more; also where texts look the same."""
    vectors = np.eye(4)[np.arange(size) % different]
    chosen = spread_queries(vectors, count, seed=seed)
    assert min(size, count) == len(chosen)
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < size


def test_the_least_sure_are_asked():
    """Of the given texts those with the lowest highest probability, ascending; of equals the first."""
    proba = np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6], [0.5, 0.5], [0.2, 0.8], [0.5, 0.5]])
    assert [1, 3] == most_open_queries(proba, [0, 1, 2, 3, 4, 5], 2)
    assert [2, 4] == most_open_queries(proba, [0, 2, 4], 2)
    assert [] == most_open_queries(proba, [], 2)


def test_asked_again_is_what_another_answer_can_change():
    """A label below the threshold; where the model gave probabilities, only if the runner-up has half of its share at
    least; a text without an answer always."""
    posterior = np.array([[0.95, 0.05], [0.8, 0.2], [0.6, 0.4], [0.8, 0.2], [0.55, 0.45], [0.7, 0.3]])
    clean = np.array([0.95, 0.8, 0.6, 0.8, 0.95, 0.0])
    scored = np.array([True, True, True, False, True, False])
    found = query_selection.queries_that_can_change(
        posterior, [0, 1, 2, 3, 4, 5], clean=clean, threshold=0.9, scored=scored
    )
    assert [2, 3, 5] == found
    assert [3] == query_selection.queries_that_can_change(posterior, [1, 3], clean=clean, threshold=0.9, scored=scored)


def test_a_pilot_is_drawn_by_chance_and_what_is_open_comes_first():
    """The same seed draws the same; all where there are no more; the most open text stands first."""
    drawn = query_selection.by_chance(list(range(10, 200)), 50, seed=1)
    assert drawn == query_selection.by_chance(list(range(10, 200)), 50, seed=1)
    assert drawn != query_selection.by_chance(list(range(10, 200)), 50, seed=2)
    assert (50, sorted(set(drawn))) == (len(drawn), drawn)
    assert [3, 1] == query_selection.by_chance([3, 1], 50, seed=1)
    proba = np.array([[0.9, 0.1], [0.6, 0.4], [0.99, 0.01], [0.3, 0.7]])
    assert [1, 3, 0] == query_selection.queries_left_open(proba, [0, 1, 2, 3], threshold=0.9)
