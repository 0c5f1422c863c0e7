"""An accuracy stands beside its interval and the rows it was measured on."""

from __future__ import annotations

import re

import numpy as np
import pytest

from freeal.evaluation.confidence_intervals import clopper_pearson, independent_observations, of_rows, spelled, wilson
from freeal.evaluation.metrics import Evaluation, final_metrics
from freeal.pool.text_pool import EMPTY, Pool
from freeal.results.metrics_as_text import metrics_in_words
from freeal.types import Decision

LABELS = ("yes", "no")


def _decision(label):
    return Decision(label, 0.8, "llm", label, label, 0.9, 1)


def _pool(rows, truth, *, texts, groups=None, held_out=frozenset()):
    first = tuple(rows.index(index) for index in range(texts))
    names = tuple(f"text {index}" for index in range(texts))
    return Pool(names, tuple(rows), first, ("t",), tuple(truth), groups=groups, held_out=held_out)


def test_the_interval_is_wilsons():
    """Of 300 rows 244 right: by hand."""
    assert (0.7654, 0.8534) == tuple(round(end, 4) for end in wilson(244, 300))
    evaluation = Evaluation(tuple((index, "yes") for index in range(300)))
    assert wilson(244, 300) == pytest.approx(evaluation.interval(244 / 300))


def test_rows_of_one_text_are_one_observation():
    """Ten rows with the same text tell no more than one; near duplicates neither; unequal numbers count in between."""
    assert 4.0 == independent_observations("abcd")
    assert 2.0 == independent_observations("aaaaabbbbb")
    assert 1.0 < independent_observations("aaab") < 2.0
    assert 0.0 == independent_observations("")
    alone = Evaluation(tuple((index, "yes") for index in range(50)))
    doubled = Evaluation(tuple((index % 50, "yes") for index in range(500)))
    grouped = Evaluation(tuple((index, "yes") for index in range(500)), tuple(index % 50 for index in range(500)))
    assert alone.interval(0.8) == pytest.approx(doubled.interval(0.8))
    assert alone.interval(0.8) == pytest.approx(grouped.interval(0.8))


def test_rows_without_text_are_observations_of_their_own():
    """Each is a row we gave no label."""
    evaluation = Evaluation(tuple((EMPTY, "yes") for _ in range(10)))
    assert wilson(0, 10) == pytest.approx(evaluation.interval(0.0))


def test_a_label_column_partly_filled_is_measured_where_it_is():
    """Accuracy, count and interval speak of the rows with a true label alone."""
    truth = ["yes", "no", "yes", "yes", *[None] * 96]
    pool = _pool(list(range(100)), truth, texts=100)
    final = final_metrics([_decision("yes")] * 100, pool, LABELS)
    low, high = wilson(3, 4)
    assert (0.75, 4, [round(low, 4), round(high, 4)]) == (
        final["accuracy"], final["evaluated_rows"], final["accuracy_interval"],
    )  # fmt: skip
    assert "holdout" not in final


def test_what_was_never_shown_is_measured_apart():
    """Of the held-out texts those with a true label; none has one: no accuracy, but how many there are."""
    truth = ["yes", "no", "yes", None]
    found = final_metrics(
        [_decision("yes")] * 4, _pool([0, 1, 2, 3], truth, texts=4, held_out=frozenset({1, 2, 3})), LABELS
    )["holdout"]
    assert (3, 2, 0.5) == (found["distinct_rows"], found["evaluated_rows"], found["accuracy"])
    unknown = final_metrics(
        [_decision("yes")] * 4, _pool([0, 1, 2, 3], truth, texts=4, held_out=frozenset({3})), LABELS
    )
    assert {"distinct_rows": 1, "evaluated_rows": 0} == unknown["holdout"]


def test_it_is_printed_with_interval_and_rows():
    """The same words everywhere."""
    assert "81.2 % (77.0-84.9) on 300 of 5,000 rows" == spelled(0.812, (0.77, 0.849), rows=300, of=5_000)
    final = {"llm_student_agreement": 0.9, "label_counts": {"a": 1}, "accuracy": 0.812, "evaluated_rows": 300}
    final |= {"accuracy_interval": [0.77, 0.849]}
    final["holdout"] = {"accuracy": 0.8, "accuracy_interval": [0.7, 0.9], "evaluated_rows": 60, "distinct_rows": 9}
    metrics = {
        "llm": {"provider": "local", "model": "m"}, "student": {"model": "s", "mode": "frozen"}, "final": final,
        "rounds": [{"round": 1}], "kept_round": 1, "baselines": {}, "cost": {"usd": 0.0, "calls": 0}, "rows": 5_000,
        "distinct_rows": 4_000,
    }  # fmt: skip
    far_off = {"calibration_error": 0.2, "mean_confidence": 0.99, "coverage_curve": [{"accuracy": 0.8}]}
    assert dict(metrics_in_words(metrics | {"final": final | far_off}))["confidence"].startswith(
        "off by 20 points on average, too high"
    )
    said = dict(metrics_in_words(metrics))
    assert "confidence" not in said
    assert "81.2 % (77.0-84.9) on 300 of 5,000 rows" == said["final labels"]
    assert "80.0 % (70.0-90.0) on 60 of 5,000 rows" == said["never demonstrations"]
    assert re.fullmatch(r"[\d.]+ % \([\d.]+-[\d.]+\) on [\d,]+ of [\d,]+ rows", said["final labels"])


def test_an_interval_of_rows_counts_texts():
    """Ten texts of ten rows each say as much as ten rows; a hundred texts say more."""
    right = np.arange(100) % 10 < 7
    assert pytest.approx(wilson(7, 10)) == of_rows(right, np.arange(100) % 10)
    assert pytest.approx(wilson(70, 100)) == of_rows(right, np.arange(100))
    assert (0.0, 1.0) == of_rows(right[:0], np.arange(0))


def test_clopper_and_pearson_are_as_published():
    """9 of 10: 55.50 to 99.75 %; all of 20: 83.16 to 100 % (their tables)."""
    assert (0.5550, 0.9975) == pytest.approx(clopper_pearson(9, 10), abs=5e-5)
    assert (0.8316, 1.0) == pytest.approx(clopper_pearson(20, 20), abs=5e-5)
