"""The final label of a text."""

from __future__ import annotations

import dataclasses

import pytest

from freeal.loop.final_label import decide

LABELS = ("no", "yes")


@pytest.mark.parametrize(
    ("llm", "clean", "student", "label", "source", "confidence"),
    [
        ("yes", 0.9, [0.2, 0.8], "yes", "llm+student", 0.98),  # 0.9 + 0.1 * 0.8
        ("yes", 0.9, [0.8, 0.2], "yes", "llm", 0.92),
        ("yes", 0.1, [0.8, 0.2], "no", "student", 0.72),
        (None, 0.9, [0.3, 0.7], "yes", "student", 0.70),  # without an answer there is nothing to trust
    ],
)
def test_a_trusted_answer_wins_and_a_doubted_one_leaves_it_to_the_student(
    make_round, llm, clean, student, label, source, confidence
):
    """The mixture weighs the LLM's label by P(clean) and the student's probabilities by the rest."""
    (found,) = decide(make_round([llm], [clean], [student]), LABELS, abstain_below=0.0)
    assert (label, source, pytest.approx(confidence, abs=1e-6)) == (found.label, found.source, found.confidence)


def test_below_the_threshold_it_abstains_and_keeps_what_both_said(make_round):
    """An abstained text has no label, but its confidence and both opinions stay visible."""
    (found,) = decide(make_round(["yes"], [0.1], [[0.5, 0.5]]), LABELS, abstain_below=0.9)
    assert (None, "abstained", "yes", "no") == (found.label, found.source, found.llm_label, found.student_label)
    assert 0.55 == pytest.approx(found.confidence)


def test_the_round_arrays_are_left_as_they_were(make_round):
    """Deciding twice gives the same: the student's probabilities are not changed on the way."""
    state = make_round(["yes"], [0.5], [[0.5, 0.5]])
    assert decide(state, LABELS, abstain_below=0.0) == decide(state, LABELS, abstain_below=0.0)


def test_a_model_with_probabilities_weighs_more_than_the_student_that_learned_from_it(make_round):
    """0.9 for yes and the student's 0.3 make 0.72; the clean probability plays no part beside a distribution."""
    state = make_round(["yes"], [0.0], [[0.7, 0.3]])
    note = dataclasses.replace(state.annotations[0], distribution=(0.1, 0.9))
    (found,) = decide(dataclasses.replace(state, annotations=(note,)), LABELS, abstain_below=0.0)
    assert ("yes", "llm", pytest.approx(0.72)) == (found.label, found.source, found.confidence)
