"""Figures of several labels (freeal/evaluation/several_labels_metrics.py), beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from freeal.aggregation.label_membership import joined_names
from freeal.evaluation.several_labels_metrics import per_label, several_labels_metrics

NAMES = ("a", "b", "c", "d")


def test_figures_are_those_of_scikit_learn():
    """F1 over pairs and labels, exact matches and the Hamming loss, on 200 drawn rows; d never occurs."""
    rng = np.random.default_rng(0)
    truth, given = rng.random((200, 4)) < (0.5, 0.2, 0.1, 0.0), rng.random((200, 4)) < (0.4, 0.3, 0.1, 0.05)
    said, told = joined_names(truth, NAMES), joined_names(given, NAMES)
    found = several_labels_metrics(said, told, NAMES)
    expected = {
        "micro_f1": metrics.f1_score(truth, given, average="micro"),
        "macro_f1": metrics.f1_score(truth[:, :3], given[:, :3], average="macro"),
        "subset_accuracy": metrics.accuracy_score(truth, given),
        "hamming_loss": metrics.hamming_loss(truth, given),
        "labels_per_row": given.sum(axis=1).mean(),
        "true_labels_per_row": truth.sum(axis=1).mean(),
    }
    assert {name: pytest.approx(value, abs=1e-4) for name, value in expected.items()} == found
    scores = metrics.precision_recall_fscore_support(truth, given, zero_division=0.0)
    for place, name in enumerate(NAMES):
        own = per_label(said, told, NAMES)[name]
        assert [pytest.approx(float(one[place]), abs=1e-4) for one in scores] == list(own.values())


def test_a_row_without_an_answer_is_not_right():
    """Not even where no label is: an abstention is no `(none)`."""
    found = several_labels_metrics(["(none)", "a"], [None, "a"], NAMES)
    assert (0.5, 1.0) == (found["subset_accuracy"], found["micro_f1"])
    assert {} == several_labels_metrics([], [], NAMES)
