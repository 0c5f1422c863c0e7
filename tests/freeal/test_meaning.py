"""Nearness to the labels' meanings joins a small model's answers, and only those."""

from __future__ import annotations

import numpy as np
import pytest

from freeal import meaning
from freeal.types import Annotation, Label, Status

NAMES = ("sports", "business")


def note(index, distribution):
    """An annotation with a distribution over both labels, or a plain label."""
    label = NAMES[0] if distribution is None else NAMES[int(np.argmax(distribution))]
    return Annotation(index, label, 0.6, (Status.OK,), 1, distribution=distribution)


def embed(texts):
    """Two dimensions: how much of a match, how much of a market."""
    found = np.array([[text.count("match") + 0.1, text.count("market") + 0.1] for text in texts])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_nearness_reads_descriptions():
    """A text is nearest to the label whose description says the same, whatever the label is called."""
    labels = (Label("a", "a market"), Label("b", "a match"))
    near = meaning.nearness(["match of the day"] * 20 + ["market opens"] * 20, labels, embed)
    assert [1] * 20 + [0] * 20 == near.argmax(axis=1).tolist()
    np.testing.assert_allclose(1.0, near.sum(axis=1))


def test_both_voices_count_the_same():
    """An undecided answer follows the meanings, an undecided nearness leaves the answer, equal and opposite cancel."""
    said = [(0.5, 0.5), (0.9, 0.1), (0.8, 0.2), *[(0.9, 0.1), (0.1, 0.9)] * 5]
    near = np.array([[0.1, 0.9], [0.5, 0.5], [0.2, 0.8], *[(0.9, 0.1), (0.1, 0.9)] * 5])
    notes = [note(index, distribution) for index, distribution in enumerate(said)]
    first, second, third, *_ = meaning.joined(notes, near, NAMES)
    assert ("business", "sports") == (first.label, second.label)
    assert pytest.approx(0.5) == third.confidence
    assert pytest.approx(0.9**0.75 / (0.9**0.75 + 0.1**0.75)) == second.confidence


def test_answers_without_a_distribution_are_left_alone():
    """What a writing model said is not touched."""
    said = note(0, None)
    assert [said] == meaning.joined([said], np.array([[0.0, 1.0]]), NAMES)


def test_nearness_that_agrees_by_chance_only_is_not_heard():
    """Labels whose names and descriptions say nothing leave the answers as they are."""
    notes = [note(index, (0.7, 0.3) if index % 2 else (0.3, 0.7)) for index in range(40)]
    near = np.array([(0.9, 0.1) if index % 4 < 2 else (0.1, 0.9) for index in range(40)])
    assert notes == meaning.joined(notes, near, NAMES)
