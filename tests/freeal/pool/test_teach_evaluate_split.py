"""freeal/pool/teach_evaluate_split.py: which true labels measure and which teach."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from freeal.pool import teach_evaluate_split
from freeal.pool.text_pool import EMPTY, Pool
from freeal.spec.job_spec import Spec


def pool_of(truth, groups=None):
    """A pool of one row per text."""
    rows = tuple(range(len(truth)))
    return Pool(tuple(f"text {row}" for row in rows), rows, rows, ("text",), tuple(truth), 0, None, groups)


def test_evaluate_teaches_nothing():
    """The default only measures: the pool is the very same."""
    pool = pool_of(["yes", "no", None])
    assert (pool, {}) == teach_evaluate_split.teach_evaluate_split(pool, "evaluate", seed=0)


def test_teach_leaves_nothing_to_measure_with():
    """Every label is taught, so no figure can be shown."""
    pool, taught = teach_evaluate_split.teach_evaluate_split(pool_of(["yes", None, "no"]), "teach", seed=0)
    assert ({0: "yes", 2: "no"}, None) == (taught, pool.truth)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60), st.integers(0, 5))
def test_split_halves_each_label(truth, seed):
    """Half of each label's texts teach, rounded down, and no text does both."""
    pool, taught = teach_evaluate_split.teach_evaluate_split(pool_of(truth), "split", seed=seed)
    assert {label: count // 2 for label, count in Counter(filter(None, truth)).items() if count > 1} == Counter(
        taught.values()
    )
    measured = {index for index, label in enumerate(pool.truth or ()) if label is not None}
    assert set() == measured & taught.keys()
    assert {index for index, label in enumerate(truth) if label} == measured | taught.keys()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), min_size=2, max_size=40), st.integers(0, 3))
def test_near_duplicates_stand_on_one_side(rows, seed):
    """A group is taught whole or measured whole, whatever labels stand in it."""
    leaders = {group: place for place, (_, group) in reversed(list(enumerate(rows)))}
    groups = tuple(leaders[group] for _, group in rows)
    pool, taught = teach_evaluate_split.teach_evaluate_split(
        pool_of([label for label, _ in rows], groups), "split", seed=seed
    )
    measured = {groups[index] for index, label in enumerate(pool.truth or ()) if label is not None}
    assert set() == measured & {groups[index] for index in taught}


def test_rows_that_contradict_each_other_teach_nothing():
    """One text with two labels is no lesson; a row without text is none either."""
    pool = Pool(("a", "b"), (0, 0, 1, 1, EMPTY), (0, 2), ("text",), ("yes", "no", "no", "no", "yes"))
    divided, taught = teach_evaluate_split.teach_evaluate_split(pool, "teach", seed=0)
    assert ({1: "no"}, ("yes", "no", None, None, "yes")) == (taught, divided.truth)


@pytest.mark.parametrize("use", ["teach", "split"])
def test_labels_that_are_not_there_cannot_teach(use):
    """Without a label_column the spec is refused where it is read."""
    with pytest.raises(ValidationError, match=f"{use} needs a label_column"):
        Spec(name="t", description="d", labels=["a", "b"], label_use=use)
