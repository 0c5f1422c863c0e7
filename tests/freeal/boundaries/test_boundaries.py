"""Which labels compete, the file of questions, and answers as meanings (freeal/boundaries)."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from freeal.boundaries import boundaries_file
from freeal.boundaries.boundaries_file import Boundaries, Pair, Rule, with_answers
from freeal.boundaries.competing_labels import competing_labels
from freeal.boundaries.texts_to_ask_again import texts_with_changed_labels
from freeal.errors import SpecError
from freeal.pool.text_pool import Pool
from freeal.types import Annotation, Decision, Status

LABELS = ("a", "b", "c", "d")


def _note(index, label, distribution=None, alternatives=()):
    return Annotation(
        index, label, 0.9, (Status.OK,), 1, distribution=distribution and tuple(distribution), alternatives=alternatives
    )


def _decision(label, student=None, *, confidence=0.9, source="llm"):
    return Decision(label, confidence, source, label, student or label, 0.9, 1)


def _pool(size, truth=None):
    rows = tuple(range(size))
    return Pool(tuple(f"text {one}" for one in rows), rows, rows, ("text",), truth)


def test_runner_up_mass_names_the_pair():
    """Three texts between a and b, one between c and d: a and b first, with their texts by side."""
    notes = [
        _note(0, "a", (0.6, 0.4, 0, 0)), _note(1, "b", (0.45, 0.55, 0, 0)), _note(2, "a", (0.9, 0.1, 0, 0)),
        _note(3, "c", (0, 0, 0.8, 0.2)),
    ]  # fmt: skip
    found = competing_labels(_pool(4), notes, [_decision(note.label) for note in notes], labels=LABELS)
    assert [("a", "b"), ("c", "d")] == [one.labels for one in found]
    assert (0.95 / 1.15, ((0, 2), (1,))) == (pytest.approx(found[0].share), found[0].texts)


def test_answers_that_are_only_labels_compete_by_alternatives_disagreement_and_student():
    """A second label named, a student that says otherwise, a student in doubt: each points at its pair."""
    notes = [_note(0, "a", alternatives=("c",)), _note(1, "b"), _note(2, "d")]
    decisions = [_decision("a"), _decision("b", "c"), _decision("d")]
    proba = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 0.3, 0, 0.7]], dtype=float)
    found = competing_labels(_pool(3), notes, decisions, labels=LABELS, proba=proba)
    assert [("b", "c"), ("a", "c"), ("b", "d")] == [one.labels for one in found]
    assert 1 == found[0].disagreed
    assert found[0].confused is None


def test_known_truth_counts_too():
    """A confusion that no voice hints at is found where truth is known."""
    notes = [_note(0, "a"), _note(1, "b")]
    found = competing_labels(
        _pool(2, truth=("d", "b")), notes, [_decision(note.label) for note in notes], labels=LABELS
    )
    assert [(("a", "d"), 1)] == [(one.labels, one.confused) for one in found]


def test_the_file_is_read_as_it_was_written(tmp_path):
    """Questions, texts and empty answers; filled in they are rules."""
    notes = [_note(0, "a", (0.6, 0.4, 0, 0)), _note(1, "b", (0.45, 0.55, 0, 0))]
    decisions = [_decision(note.label) for note in notes]
    pool = _pool(2)
    questions = boundaries_file.asked(
        competing_labels(pool, notes, decisions, labels=LABELS), pool, decisions, version="v"
    )
    path = tmp_path / "boundaries.yaml"
    boundaries_file.write_boundaries(path, questions)
    content = yaml.safe_load(path.read_text())
    assert ["text 0", "text 1"] == [one["text"] for one in content["pairs"][0]["texts"]]
    with pytest.raises(SpecError, match="answers no question"):
        boundaries_file.read_boundaries(path, labels=LABELS)
    content["pairs"][0]["answer"]["a"]["is_not"] = "a name of something"
    path.write_text(yaml.safe_dump(content))
    (rule,) = boundaries_file.read_boundaries(path, labels=LABELS).rules
    assert ("a", Rule(is_not="a name of something", goes_to="b")) == rule


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("c: {is: x}", "not of this pair"),
        ("a: {is: x, goes_to: bb}", "'bb' is not a label"),
        ("a: {iss: x}", "iss"),
    ],
)
def test_an_answer_that_makes_no_sense_is_named_with_its_line(tmp_path, answer, told):
    """A label of another pair, a label that is none, a key that is none."""
    path = tmp_path / "boundaries.yaml"
    path.write_text(f"pairs:\n- between: [a, b]\n  answer:\n    {answer}\n")
    with pytest.raises(SpecError, match=told) as error:
        boundaries_file.read_boundaries(path, labels=LABELS)
    assert 4 == error.value.parts[0].where.line


def test_answers_go_into_the_meanings_as_a_visible_difference():
    """`is`, `is not` and where it goes instead, behind what stood there; labels nobody spoke of stay."""
    pair = Pair(
        between=("a", "b"),
        answer={"a": Rule(is_="one thing.", is_not="many things", goes_to="b"), "b": Rule(goes_to="a")},
    )
    found = with_answers({"a": "old words", "b": "", "c": "other"}, Boundaries(pairs=(pair,)))
    assert "old words; is one thing; is not many things (goes to b instead)" == found.after["a"]
    assert ("a",) == found.changed
    assert ["  a:", "- old words", f"+ {found.after['a']}"] == found.diff_of_meanings().splitlines()
    assert found.after == with_answers(found.after, Boundaries(pairs=())).after


def test_only_texts_near_the_boundary_are_asked_again():
    """However sure of them the voices are; texts of other labels stay, and what a person labelled."""
    notes = [
        _note(0, "a"), _note(1, "a"), _note(2, "c"), _note(3, "c", (0.2, 0, 0.8, 0)), _note(4, "c"), _note(5, "a"),
    ]  # fmt: skip
    decisions = [
        _decision("a", confidence=0.99), _decision("a", confidence=0.6), _decision("c", confidence=0.6),
        _decision("c", confidence=0.8), _decision("c", "a"), _decision("a", confidence=0.5, source="corrected"),
    ]  # fmt: skip
    assert [0, 1, 3, 4] == texts_with_changed_labels(notes, decisions, labels=LABELS, changed={"a"})
