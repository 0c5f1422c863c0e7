"""The final label of a text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from freeal.loop.final_label import decide_final_labels

LABELS = ("no", "yes")


@pytest.mark.parametrize(
    ("llm", "student", "posterior", "label", "source"),
    [
        ("yes", [0.2, 0.8], [0.1, 0.9], "yes", "llm+student"),
        ("yes", [0.8, 0.2], [0.1, 0.9], "yes", "llm"),
        ("yes", [0.8, 0.2], [0.7, 0.3], "no", "student"),
        ("yes", [0.2, 0.8], [0.6, 0.4], "no", "student"),  # what is known out of fold outvotes both
        (None, [0.3, 0.7], [0.4, 0.6], "yes", "student"),
    ],
)
def test_the_likeliest_label_wins_with_its_probability(make_round, llm, student, posterior, label, source):
    """Label and confidence are the posterior's; the source says who said the same."""
    state = dataclasses.replace(make_round([llm], [0.5], [student]), posterior=np.array([posterior]))
    (found,) = decide_final_labels(state, LABELS, abstain_below=0.0)
    assert (label, source, pytest.approx(max(posterior))) == (found.label, found.source, found.confidence)


def test_below_the_threshold_it_abstains_and_keeps_what_both_said(make_round):
    """An abstained text has no label, but its confidence and both opinions stay visible."""
    (found,) = decide_final_labels(make_round(["yes"], [0.1], [[0.5, 0.5]]), LABELS, abstain_below=0.9)
    assert (None, "abstained", "yes", "no") == (found.label, found.source, found.llm_label, found.student_label)
    assert ("yes", pytest.approx(0.55)) == (found.likeliest, found.confidence)


def test_the_round_arrays_are_left_as_they_were(make_round):
    """Deciding twice gives the same: the student's probabilities are not changed on the way."""
    state = make_round(["yes"], [0.5], [[0.5, 0.5]])
    assert decide_final_labels(state, LABELS, abstain_below=0.0) == decide_final_labels(
        state, LABELS, abstain_below=0.0
    )
