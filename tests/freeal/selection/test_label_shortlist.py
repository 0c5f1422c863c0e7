"""Which labels a row is asked about."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.selection.label_shortlist import label_text, nearest_labels
from freeal.types import Label

INTENTS = Path(__file__).parent / "intents.csv"


def on_a_line(*angles: float) -> np.ndarray:
    """Unit vectors whose similarity falls with the difference of their angles."""
    return np.array([[np.cos(angle), np.sin(angle)] for angle in angles], dtype=np.float32)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (Label("card_payment_fee"), "card payment fee"),
        (Label("cardPaymentFee"), "card payment fee"),
        (Label("HTTPError/timeOut"), "HTTP error time out"),
        (Label("ABBR", "an abbreviation"), "ABBR: an abbreviation"),
        (Label("Überweisung-fehlt"), "überweisung fehlt"),
        (Label("a"), "a"),
        (Label("++"), "++"),
    ],
)
def test_a_name_is_read_as_words(label, text):
    """Underscores, hyphens and capitals part words; the meaning follows; nothing becomes empty."""
    assert text == label_text(label)


def test_the_nearest_come_first():
    """In the order of their similarity to the row."""
    assert [[2, 0, 1], [1, 0, 2]] == nearest_labels(on_a_line(0.0, 1.0), on_a_line(0.3, 0.9, 0.1), count=3).tolist()


def test_labels_that_are_equally_near_keep_their_order():
    """The order of the task decides, not that of a sorting algorithm."""
    assert [list(range(40))] == nearest_labels(on_a_line(0.0), on_a_line(*[0.5] * 40), count=40).tolist()


def test_a_list_is_never_longer_than_the_labels():
    """Few labels are all on it; no rows have no lists."""
    assert (1, 2) == nearest_labels(on_a_line(0.0), on_a_line(0.1, 0.2), count=16).shape
    assert (0, 2) == nearest_labels(np.empty((0, 2)), on_a_line(0.1, 0.2), count=16).shape


def test_student_and_meaning_take_turns():
    """The student's likeliest label, the nearest one, the student's next: none of them twice."""
    labels = on_a_line(0.1, 0.2, 0.3, 0.4, 0.5)
    proba = np.array([[0.0, 0.1, 0.2, 0.3, 0.4]])
    assert [[4, 0, 3, 1, 2]] == nearest_labels(on_a_line(0.0), labels, count=5, proba=proba).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_both_opinions_are_heard(seed, labels, count):
    """Half of a list at least are the student's likeliest labels, half the nearest ones; all differ."""
    rng = np.random.default_rng(seed)
    rows, means, proba = rng.normal(size=(5, 3)), rng.normal(size=(labels, 3)), rng.random((5, labels))
    found = nearest_labels(rows, means, count=count, proba=proba)
    for row, near, likely in zip(found, rows @ means.T, proba, strict=True):
        assert len(row) == len(set(row.tolist())) == min(count, labels)
        assert set(np.argsort(-near)[: count // 2]) <= set(row.tolist())
        assert set(np.argsort(-likely)[: (count + 1) // 2]) <= set(row.tolist())


def test_a_list_does_not_depend_on_the_other_rows():
    """A row added to a file changes no other row's prompt, so its answer is not paid for again."""
    rng = np.random.default_rng(0)
    rows, labels, proba = rng.normal(size=(5000, 8)), rng.normal(size=(30, 8)), rng.random((5000, 30))
    together = nearest_labels(rows, labels, count=7, proba=proba)
    some = [0, 2047, 2048, 4999]
    assert together[some].tolist() == nearest_labels(rows[some], labels, count=7, proba=proba[some]).tolist()


@pytest.mark.parametrize(
    ("shapes", "count", "message"),
    [
        (((2, 3), (4, 3), None), 0, "0 labels"),
        (((2, 3), (4, 5), None), 2, "width"),
        (((2, 3), (4, 3), (2, 3)), 2, "probabilities"),
    ],
)
def test_input_that_does_not_fit_is_refused(shapes, count, message):
    """Other widths, shapes or an empty list are errors that say which."""
    rows, labels, proba = (None if shape is None else np.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        nearest_labels(rows, labels, count=count, proba=proba)


@pytest.mark.slow
def test_real_sentences_find_their_label():
    """With the packaged encoder, 16 of 88 intents hold the right one for 9 sentences of 10; meanings help."""
    from freeal.settings import StudentSettings
    from freeal.student.encoder.locate_encoder import packaged_weights
    from freeal.student.frozen_trainer import FrozenTrainer

    if packaged_weights() is None:
        pytest.skip("the packaged encoder is not installed")
    with INTENTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [
        Label(name, meaning) for name, meaning in dict.fromkeys((row["label"], row["description"]) for row in rows)
    ]
    truth = np.array([[label.name for label in labels].index(row["label"]) for row in rows])
    embed = FrozenTrainer(StudentSettings(model="minilm", mode="frozen")).embed
    texts = embed([row["text"] for row in rows])

    def recall(label_texts):
        return np.mean((nearest_labels(texts, embed(label_texts), count=16) == truth[:, None]).any(axis=1))

    with_meaning, by_name = (
        recall([label_text(one) for one in labels]),
        recall([label_text(Label(one.name)) for one in labels]),
    )
    assert 88 == len(labels)
    assert with_meaning > 0.9
    assert with_meaning > by_name > 0.8
