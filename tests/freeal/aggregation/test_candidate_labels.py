"""Which labels a text may have."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.aggregation.candidate_labels import MASS, MOST, candidates_of
from freeal.types import Annotation, Status

NAMES = ("a", "b", "c", "d", "e")


def _note(label, *, distribution=None, alternatives=(), index=0):
    status = Status.OK if label else Status.INVALID_ANSWER
    return Annotation(index, label, 0.5, (status,), 1, distribution, alternatives)


def _found(note):
    return [name for name, is_candidate in zip(NAMES, candidates_of([note], NAMES)[0], strict=True) if is_candidate]


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        ((0.95, 0.05, 0.0, 0.0, 0.0), ["a"]),
        ((0.6, 0.35, 0.05, 0.0, 0.0), ["a", "b"]),
        ((0.5, 0.2, 0.15, 0.1, 0.05), ["a", "b", "c"]),
        ((0.2, 0.2, 0.2, 0.2, 0.2), ["a", "b", "c"]),
        ((0.9, 0.1, 0.0, 0.0, 0.0), ["a"]),
    ],
)
def test_the_likeliest_labels_until_they_hold_the_mass(distribution, expected):
    """Labels are taken until they hold nine tenths of the probability, three at most; of equals the first."""
    assert expected == _found(_note("a", distribution=distribution))


def test_named_alternatives_and_the_label_itself():
    """A written answer's label and the others it names are candidates, and nothing else."""
    assert ["b", "d"] == _found(_note("d", alternatives=("b",)))
    assert ["c"] == _found(_note("c"))


def test_the_label_is_a_candidate_whatever_its_distribution_says():
    """Calibration may move the likeliest label away from the answer: both stay possible."""
    assert ["a", "e"] == _found(_note("e", distribution=(0.95, 0.0, 0.0, 0.0, 0.05)))


def test_weights_follow_what_the_model_said():
    """A distribution weighs its labels; a written answer weighs by its confidence, the rest goes to what it named."""
    scored = candidates_of(
        [dataclasses.replace(_note("a", distribution=(0.6, 0.35, 0.05, 0, 0)), confidence=0.6)], NAMES
    )
    np.testing.assert_allclose([[0.6, 0.35, 0.0, 0.0, 0.0]], scored)
    written = candidates_of([dataclasses.replace(_note("d", alternatives=("b", "c")), confidence=0.8)], NAMES)
    np.testing.assert_allclose([[0.0, 0.1, 0.1, 0.8, 0.0]], written)


def test_without_a_label_there_are_no_candidates():
    """An unusable answer says nothing, also where a distribution came with it; rows keep their order."""
    notes = [_note(None, distribution=(0.2,) * 5), _note("b", index=1), _note(None, index=2)]
    assert [[], [1], []] == [np.flatnonzero(row).tolist() for row in candidates_of(notes, NAMES)]
    assert (0, 5) == candidates_of([], NAMES).shape


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=9))
def test_candidates_of_any_distribution(weights):
    """At least one label, at most three, and fewer than three only where they hold the mass."""
    shares = np.array(weights) / sum(weights)
    names = tuple(f"label {number}" for number in range(len(weights)))
    note = _note(names[int(shares.argmax())], distribution=tuple(shares.tolist()))
    row = candidates_of([note], names)[0]
    found = row > 0.0
    assert 1 <= found.sum() <= MOST
    assert found.sum() == min(MOST, len(names)) or shares[found].sum() >= MASS - 1e-9
    assert shares[found].min() >= (shares[~found].max() if (~found).any() else 0.0)
