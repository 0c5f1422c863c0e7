"""Whether labels fit the texts, without truth."""

from __future__ import annotations

import numpy as np

from freeal.boundaries.label_set_check import check_label_set
from freeal.pool.text_pool import Pool
from freeal.types import Annotation, Decision, Status

LABELS = ("sport", "money", "unused")


def _pool(texts):
    count = range(len(texts))
    return Pool(tuple(texts), tuple(count), tuple(count), ("text",))


def _decision(llm, student, *, confidence=0.95):
    return Decision(
        label=llm, confidence=confidence, source="llm+student", llm_label=llm, student_label=student, clean=1.0, round=1
    )


def _note(index, label, *statuses):
    return Annotation(index, label, 1.0, statuses or (Status.OK,), 1)


def _made(*, lost=0, torn=0, refused=0):
    """Twenty texts of either label, `lost` ones elsewhere that nothing is sure of, `torn` ones between the labels."""
    chance = np.random.default_rng(5)
    centres = {"sport": (1.0, 0.0, 0.0), "money": (0.0, 1.0, 0.0), "lost": (0.0, 0.0, 1.0)}
    texts, notes, decisions, vectors = [], [], [], []
    kinds = ["sport"] * 20 + ["money"] * 20 + ["lost"] * lost
    for index, kind in enumerate(kinds):
        texts.append(f"the parcel courier came late {index}" if kind == "lost" else f"words about {kind} {index}")
        label = "sport" if kind == "lost" else kind
        is_torn = kind != "lost" and index % 20 < torn
        other = {"sport": "money", "money": "sport"}[label]
        notes.append(_note(index, label))
        decisions.append(_decision(label, other if is_torn else label, confidence=0.35 if kind == "lost" else 0.95))
        vectors.append(np.array(centres[kind]) + chance.normal(0, 0.05, 3))
    for index in range(refused):
        notes[index] = _note(index, None, Status.REFUSED)
    pool = _pool(texts)
    return check_label_set(pool, notes, decisions, labels=LABELS, embeddings=np.array(vectors)), pool


def test_alone_among_the_sure_is_no_group():
    """Every third text along a line is unsure, and one of its five nearest is unsure too: they hang together, but most
    around them are sure of their label, so that they are hard, and no label is missing."""
    angles = np.arange(60) * 0.01
    labels = ["sport"] * 30 + ["money"] * 30
    decisions = [_decision(label, label, confidence=0.35 if n % 3 == 0 else 0.95) for n, label in enumerate(labels)]
    notes = [_note(n, label) for n, label in enumerate(labels)]
    pool = _pool([f"words about {label} {n}" for n, label in enumerate(labels)])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert "uncovered" not in _kinds(check_label_set(pool, notes, decisions, labels=LABELS, embeddings=vectors))


def _kinds(findings):
    return [one.kind for one in findings]


def test_a_label_that_no_text_gets_is_named():
    """And nothing else is said of labels that fit."""
    findings, _ = _made()
    assert [("unused", ("unused",))] == [(one.kind, one.labels) for one in findings]


def test_two_labels_the_voices_do_not_tell_apart_overlap():
    """From a fifth of their texts on, with examples of both."""
    findings, _ = _made(torn=6)
    [overlap] = [one for one in findings if one.kind == "overlap"]
    assert {"sport", "money"} == set(overlap.labels)
    assert 12 / 40 == overlap.share
    assert 2 == len(overlap.texts)
    assert "overlap" not in _kinds(_made(torn=2)[0])


def test_texts_together_that_nothing_is_sure_of_miss_a_label():
    """They are counted, shown, and named by their words."""
    findings, pool = _made(lost=9)
    [group] = [one for one in findings if one.kind == "uncovered"]
    assert "courier" in group.labels
    assert "9 texts" in group.message
    assert all("courier" in text for text in group.as_dict(pool)["texts"])


def test_a_few_unsure_texts_are_no_group():
    """Nor are unsure texts that lie among sure ones."""
    assert "uncovered" not in _kinds(_made(lost=2)[0])


def test_the_share_that_cannot_be_answered_is_told():
    """With examples."""
    findings, _ = _made(refused=4)
    [missing] = [one for one in findings if one.kind == "unanswered"]
    assert 0.1 == missing.share
    assert "4 of 40 texts (10%)" in missing.message
