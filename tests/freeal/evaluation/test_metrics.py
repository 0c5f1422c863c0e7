"""Scores against ground truth, and what is said without it."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.evaluation.metrics import Evaluation, calibration_error, coverage_curve, final_metrics
from freeal.loop.final_label import decide_final_labels
from freeal.pool.text_pool import EMPTY, Pool

LABELS = ("no", "yes")


def _pool(row_index, truth):
    texts = tuple(f"text {index}" for index in range(max(row_index) + 1))
    first = tuple(row_index.index(index) for index in range(len(texts)))
    return Pool(texts, tuple(row_index), first, ("text",), truth)


def test_rows_are_counted_and_not_texts():
    """A text in three rows counts three times, an empty row is wrong, a row without truth does not count."""
    pool = _pool([0, 0, 0, 1, EMPTY, 1], ("yes", "yes", "no", "no", "yes", None))
    assert 3 / 5 == Evaluation.of(pool).accuracy(["yes", "no"])


def test_without_ground_truth_nothing_is_claimed(make_round):
    """No accuracy, no F1, no calibration error: only what can be seen without the truth."""
    decisions = decide_final_labels(
        make_round(["yes", "no"], [0.9, 0.9], [[0.1, 0.9], [0.2, 0.8]]), LABELS, abstain_below=0.0
    )
    final = final_metrics(decisions, _pool([0, 1, 1], None), LABELS)
    assert {"abstained", "llm_student_agreement", "label_counts", "confidence_counts"} == set(final)
    assert ({"no": 2, "yes": 1}, 0.5) == (final["label_counts"], final["llm_student_agreement"])


def test_scores_per_class_are_those_of_the_rows(make_round):
    """Three rows of yes of which two are found, one row of no found: recall 2/3 and 1."""
    state = make_round(["yes", "yes", "no", "no"], [0.99] * 4, [[0.1, 0.9]] * 2 + [[0.9, 0.1]] * 2)
    final = final_metrics(
        decide_final_labels(state, LABELS, abstain_below=0.0), _pool([0, 1, 2, 3], ("yes", "yes", "yes", "no")), LABELS
    )
    assert (0.75, 4) == (final["accuracy"], final["evaluated_rows"])
    assert {"precision": 1.0, "recall": 0.6667, "f1": 0.8, "rows": 3} == final["per_class"]["yes"]
    assert pytest.approx((0.8 + 2 / 3) / 2, abs=1e-3) == final["macro_f1"]


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    """Nine tenths sure and half right is off by 0.4; half sure and half right is not off."""
    half_right = np.array([True, False] * 50)
    assert pytest.approx(0.4) == calibration_error(np.full(100, 0.9), half_right)
    assert pytest.approx(0.0) == calibration_error(np.full(100, 0.5), half_right)


def test_the_coverage_curve_drops_the_least_sure_rows_first():
    """With the only mistake at the lowest confidence, half the rows are all right and all rows are 3/4 right."""
    curve = coverage_curve(np.array([0.9, 0.5, 0.8, 0.7]), np.array([True, False, True, True]))
    by_coverage = {point["coverage"]: point for point in curve}
    assert (1.0, 0.8) == (by_coverage[0.5]["accuracy"], by_coverage[0.5]["threshold"])
    assert (0.75, 0.5) == (by_coverage[1.0]["accuracy"], by_coverage[1.0]["threshold"])


def test_confidence_speaks_of_the_label_that_was_held_back(make_round):
    """Three of four rows abstain below 0.9: for the accuracy they are wrong, while calibration and coverage judge the
    labels they would have had, of which all are right at a confidence of 0.8."""
    state = make_round(["yes"] * 4, [0.99] + [0.5] * 3, [[0.0, 1.0]] + [[0.4, 0.6]] * 3)
    decisions = decide_final_labels(state, LABELS, abstain_below=0.9)
    final = final_metrics(decisions, _pool([0, 1, 2, 3], ("yes",) * 4), LABELS)
    assert (3, 0.25) == (final["abstained"], final["accuracy"])
    assert 1.0 == final["coverage_curve"][-1]["accuracy"]
    assert (0.0 + 3 * 0.2) / 4 == pytest.approx(final["calibration_error"], abs=1e-3)
