"""What each language model said so far (freeal/loop/merge_annotations.py)."""

from __future__ import annotations

import dataclasses

import pytest

from freeal.loop.known_labels import Known
from freeal.loop.merge_annotations import merge_annotations, merge_opinions
from freeal.types import Annotation, Status

LABELS = ("x", "y")


def _note(index, label, number=1, annotator=0):
    return Annotation(index, label, 0.9, (Status.OK,), number, annotator=annotator)


def _unusable(index, status=Status.INVALID_ANSWER, round_number=2):
    return Annotation(index, None, 0.0, (status,), round_number)


def _after(previous, answers, known, *, models=1):
    return merge_opinions(previous, answers, known, labels=LABELS, pool_size=2, models=models)


def test_of_an_open_text_the_answers_of_this_job_stand_side_by_side(make_round):
    """What an earlier version answered gives way to the first new answer; that one stays beside a later, other one."""
    known = Known(annotations=(_note(0, "y"), _note(1, "y")), open_texts=frozenset({0}))
    first = _after(None, [_note(0, "x")], known)
    assert [("x", ()), ("y", ())] == [(note.label, note.earlier) for note in first[0]]
    state = make_round(["x", "y"], [0.9, 0.9], [[0.9, 0.1], [0.1, 0.9]])
    second = _after(dataclasses.replace(state, opinions=tuple(map(tuple, first))), [_note(0, "y", 2)], known)
    assert [("y", ("x",)), ("y", ())] == [(note.label, note.earlier) for note in second[0]]


def test_what_was_known_is_the_voice_of_whoever_said_it():
    """Of two language models each has its own answers back; with one model all are its."""
    known = Known(annotations=(_note(0, "x", annotator=1), _note(1, "y")))
    assert [[None, "y"], ["x", None]] == [[note.label for note in notes] for notes in _after(None, [], known, models=2)]
    assert [["x", "y"]] == [[note.label for note in notes] for notes in _after(None, [], known)]


def test_merging_never_replaces_a_label_by_an_unusable_answer():
    """The old label stays when the new answer is invalid; a text nobody answered gets the newest reason."""
    old = [Annotation(0, "x", 0.9, (Status.OK,), 1), _unusable(1, Status.REFUSED, 1)]
    merged = merge_annotations(old, [_unusable(0), _unusable(1)], labels=LABELS, pool_size=2)
    assert [("x", 1), (None, 2)] == [(note.label, note.round) for note in merged]


def test_a_text_without_any_annotation_is_a_mistake_of_the_caller():
    """Rows are never lost silently."""
    with pytest.raises(KeyError):
        merge_annotations([], [_note(0, "x")], labels=LABELS, pool_size=2)
