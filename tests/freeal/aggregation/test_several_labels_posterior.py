"""Voices weighed where a text may have several labels (freeal/aggregation/several_labels_posterior.py)."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.aggregation.label_membership import joined_names, membership
from freeal.aggregation.label_posterior import Evidence, label_posterior
from freeal.aggregation.several_labels_posterior import binary, evidence_of_several_labels
from freeal.student.protocols import NO_LABEL
from freeal.types import Annotation, Status

NAMES = ("a", "b", "c")


def _notes(said, **more):
    return [Annotation(index, label, 0.9, (Status.OK,), 1, **more) for index, label in enumerate(said)]


@pytest.fixture
def drawn():
    """Truth bool [400, 3], answers of an annotator that misses b in 40 %, and logits that know the truth roughly."""
    rng = np.random.default_rng(3)
    truth = rng.random((400, 3)) < (0.5, 0.4, 0.1)
    said = truth & ~((rng.random((400, 3)) < 0.4) & (np.arange(3) == 1))
    logits = np.where(truth, 2.0, -2.0) + rng.normal(size=truth.shape)
    return truth, said, logits


def test_each_label_is_weighed_as_a_question_of_two(drawn):
    """A column is what the weighing of two labels makes of it, whatever the other columns hold."""
    _, said, logits = drawn
    found = evidence_of_several_labels(_notes(joined_names(said, NAMES)), NAMES).posterior(logits).proba
    for place in range(3):
        alone = Evidence(said[:, place].astype(int), np.zeros((400, 2)), np.full(400, NO_LABEL))
        assert np.allclose(found[:, place], label_posterior(alone, binary(logits[:, place])).proba[:, 1])


def test_errors_of_one_label_are_found_without_truth(drawn):
    """The label that the annotator misses often is restored, and the others are left as they are."""
    truth, said, logits = drawn
    found = evidence_of_several_labels(_notes(joined_names(said, NAMES)), NAMES).posterior(logits).proba >= 0.5
    before, after = (said != truth).mean(axis=0), (found != truth).mean(axis=0)
    assert after[1] < before[1] - 0.03
    assert (after[[0, 2]] <= before[[0, 2]] + 0.01).all()


def test_what_a_person_said_is_certain():
    """A corrected text has exactly its labels; a text without an answer is left to the student."""
    notes = _notes(["a", "b", "a;b", "(none)"] * 10)
    notes[0] = Annotation(0, "b;c", 1.0, (Status.CORRECTED,), 1, distribution=(0.0, 1.0, 1.0))
    notes[1] = Annotation(1, None, 0.0, (Status.REFUSED,), 1)
    posterior = evidence_of_several_labels(notes, NAMES).posterior(np.tile([1.0, -1.0, 0.0], (40, 1)))
    assert [0.0, 1.0, 1.0] == posterior.proba[0].tolist()
    assert (posterior.proba[1] > 0).all()
    sure = posterior.of(membership([note.label for note in notes], NAMES))
    assert (1.0, 0.0) == (sure[0], sure[1])
    assert pytest.approx(float(np.where([1, 0, 0], posterior.proba[4], 1 - posterior.proba[4]).prod())) == sure[4]


def test_probabilities_of_a_scoring_model_are_used_as_they_are():
    """With a distribution each label is pooled with the student; two answers that differ make it less sure."""
    scored = (
        evidence_of_several_labels(_notes(["a"] * 40, distribution=(0.9, 0.2, 0.0)), NAMES)
        .posterior(np.zeros((40, 3)))
        .proba
    )
    assert scored[0, 0] > 0.6
    assert scored[0, 2] < 0.4
    said = ["a", "b"] * 40
    logits = np.zeros((80, 3))
    steady = evidence_of_several_labels(_notes(said), NAMES).posterior(logits).proba
    torn = evidence_of_several_labels(_notes(said, earlier=("b",)), NAMES).posterior(logits).proba
    assert torn[0, 0] < steady[0, 0]
