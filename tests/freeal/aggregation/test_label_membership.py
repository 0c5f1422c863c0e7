"""Several labels as zeros and ones (freeal/aggregation/label_membership.py)."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.aggregation.label_membership import class_ids, joined_names, membership
from freeal.student.protocols import NO_LABEL
from freeal.text.joined_labels import parts

NAMES = ("a", "b;c", "d")


def test_membership_and_names_are_each_other():
    """Joined names become a row of the matrix, and the row the names again; None is a row of NO_LABEL."""
    said = ["a;d", "(none)", r"b\;c", None]
    found = membership(said, NAMES)
    assert [[1, 0, 1], [0, 0, 0], [0, 1, 0], [NO_LABEL] * 3] == found.tolist()
    assert said[:3] == joined_names(found[:3] == 1, NAMES)


def test_an_unknown_name_is_an_error():
    """A name that is none of the labels never passes for none at all."""
    with pytest.raises(ValueError, match="'x' is none of the labels"):
        membership(["a;x"], NAMES)


def test_classes_are_labels_or_their_combinations():
    """One label: its place. Several: the combinations that occur, the most frequent first."""
    assert [2, 0, NO_LABEL] == class_ids(["d", "a", None], NAMES, "single").tolist()
    said = ["a", "a;d", "a;d", None, "(none)"]
    assert np.array_equal([2, 0, 0, NO_LABEL, 1], class_ids(said, NAMES, "multi"))


def test_parts_of_a_label():
    """Of several its names, of one itself, whatever signs it holds."""
    assert (("a", "b;c"), (r"a;b\;c",)) == (parts(r"a;b\;c", "multi"), parts(r"a;b\;c", "single"))
