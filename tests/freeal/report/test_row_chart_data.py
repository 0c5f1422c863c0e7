"""The numbers of the pictures that count rows (freeal/report/row_chart_data.py)."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.report import row_chart_data
from freeal.report.row_arrays import NONE, Rows
from freeal.text import joined_labels


@pytest.mark.parametrize(
    ("labels", "names", "missing"),
    [
        (("a", "b"), ("a", "b"), joined_labels.NONE),
        (("a", "(none)"), ("a", "b"), joined_labels.UNLABELLED),
    ],
)
def test_what_has_no_answer_is_told_from_what_has_no_label(labels, names, missing):
    """Where a text may have several labels none of which applies, that is a name of its own in a confusion matrix."""
    given, none = np.array([0, 1, NONE]), np.full(3, NONE)
    members = np.zeros((3, 2), dtype=bool)
    kinds = np.arange(3)
    rows = Rows(labels, names, members, kinds, kinds, given, given, given, none, np.ones(3), kinds, none >= 0)
    [one] = row_chart_data.confusions_of_rows(rows)
    assert ((*labels, missing), ((1, 0, 0), (0, 1, 0), (0, 0, 1))) == (one.labels, one.counts)
