"""Rows labelled in memory get what the same rows of a table get (freeal/prediction/predict_rows.py)."""

from __future__ import annotations

import csv

import pytest

from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.predict_rows import predict_rows

TEXTS = ["good", "bad", "", "good good bad", "good"]


def _as_cells(row):
    return [row.label or "", "" if row.confidence is None else f"{row.confidence:.4f}"]


def test_they_are_those_of_a_table(classifier, table, job):
    """Label, confidence and probabilities, in order; identical texts are scored once."""
    found = predict_rows(classifier, [{"text": text} for text in TEXTS])
    assert 3 == classifier.student.scored
    wanted = job(table(TEXTS))
    predict_csv(wanted, classifier=classifier)
    with wanted.output_csv.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [[row["freeal_label"], row["freeal_confidence"]] for row in rows] == [_as_cells(row) for row in found]
    assert pytest.approx(1.0, abs=1e-4) == sum(found[0].probabilities.values())
    assert ["ok", "ok", "empty_text", "ok", "ok"] == [row.status for row in found]


def test_a_promise_leaves_a_row_without_a_label(classifier):
    """With the probabilities it had, and a status that says why."""
    never = {label: {"threshold": 2.0} for label in classifier.student.labels}
    classifier.extra["promise"] = {"scope": "label", "labels": never}
    [row] = predict_rows(classifier, [{"text": "good"}])
    assert (None, "below_promise", True) == (row.label, row.status, row.confidence is not None)


def test_nothing_but_empty_rows_is_not_scored(classifier):
    """Nor is nothing at all."""
    assert ["empty_text"] == [row.status for row in predict_rows(classifier, [{"text": " "}])]
    assert [] == predict_rows(classifier, [])
    assert 0 == classifier.student.scored
