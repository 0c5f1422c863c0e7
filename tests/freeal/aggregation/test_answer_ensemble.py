"""Several answers to one text."""

from __future__ import annotations

import pytest

from freeal.aggregation.answer_ensemble import pool_answers
from freeal.types import Annotation, Status

LABELS = ("no", "yes")


def _note(yes, *, weight=1.0, round_number=1):
    label = "yes" if yes > 0.5 else "no"
    return Annotation(0, label, max(yes, 1 - yes), (Status.OK,), round_number, (1 - yes, yes), weight=weight)


def _unusable(index=0, status=Status.INVALID_ANSWER, round_number=2):
    return Annotation(index, None, 0.0, (status,), round_number)


def test_the_pool_is_the_geometric_mean():
    """Odds of 4:1 and 1:9 make odds of sqrt(4/9) to 1."""
    found = pool_answers([_note(0.8), _note(0.1)], LABELS)
    assert ("no", 2.0, pytest.approx(1 / (1 + 2 / 3))) == (found.label, found.weight, found.confidence)


def test_an_answer_counts_by_its_weight():
    """What pools three answers for yes outweighs one equally sure answer for no."""
    assert "yes" == pool_answers([_note(0.8, weight=3.0), _note(0.2)], LABELS).label


def test_of_answers_without_probabilities_the_newer_counts_and_the_older_are_kept():
    """An instructed model's newer answer stands, whatever the confidence of the older, whose labels it remembers, the
    oldest first."""
    notes = [Annotation(0, label, 0.99, (Status.OK,), number) for number, label in enumerate(("no", "yes", "yes"), 1)]
    found = pool_answers([pool_answers(notes[:2], LABELS), notes[2]], LABELS)
    assert ("yes", ("no", "yes"), 3) == (found.label, found.earlier, found.round)
    unusable = Annotation(0, None, 0.0, (Status.INVALID_ANSWER,), 4)
    assert found == pool_answers([found, unusable], LABELS)
