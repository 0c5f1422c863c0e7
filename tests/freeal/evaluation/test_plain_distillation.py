"""The plain student that the rounds are compared with."""

from __future__ import annotations

import anyio
import pytest

from freeal.evaluation.plain_distillation import plain, plain_distillation
from freeal.pool.text_pool import Pool
from freeal.settings import StudentSettings
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Annotation, Status

NAMES = ("happy", "angry")
TEXTS = tuple(f"{'great' if number % 2 else 'awful'} thing {number}" for number in range(20))
TRUTH = tuple("happy" if number % 2 else "angry" for number in range(20))


def pool(truth):
    """Twenty texts, one row each."""
    rows = tuple(range(20))
    return Pool(TEXTS, rows, rows, ("text",), truth)


def notes(labels):
    """One annotation per text."""
    return [Annotation(index, label, 0.9, (Status.OK,), 1) for index, label in enumerate(labels)]


def compared(truth, labels):
    """The figure, from a tiny student."""
    return anyio.run(lambda: plain_distillation(pool(truth), notes(labels), TinyTrainer(), names=NAMES, seed=0))


def test_it_is_the_pool_accuracy_of_a_student_of_the_first_labels():
    """Right labels give a right student, swapped ones a wrong one; texts without an answer are left out of training."""
    assert 1.0 == compared(TRUTH, [None, None, *TRUTH[2:]])
    assert 0.0 == compared(TRUTH, TRUTH[::-1])


def test_without_true_labels_there_is_none():
    """Nothing is trained for a figure that cannot be told."""
    assert compared(None, TRUTH) is None


@pytest.mark.parametrize(("name", "value"), [("clean_split", "none"), ("mixup", False), ("consistency", "never")])
def test_plain_means_without_every_robust_part(name, value):
    """Each part that may be left out is, and nothing else is changed."""
    settings = StudentSettings(model="minilm", epochs=7, consistency="always")
    assert value == getattr(plain(settings), name)
    assert 7 == plain(settings).epochs
