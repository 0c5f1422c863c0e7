"""What became of labels between two versions, and what earlier answers say under the new ones."""

from __future__ import annotations

import dataclasses

import pytest

from freeal.boundaries import label_changes, texts_to_ask_again
from freeal.types import Annotation, Decision, Demonstration, Status

BEFORE = {"billing": "invoices", "login": "passwords", "other": ""}


def _changes(after, told=None):
    return label_changes.find_label_changes(BEFORE, after, told)


def _note(index, label, **more):
    return Annotation(index, label, 0.9, (Status.OK,), 1, **more)


def _decision(llm, student=None, *, confidence=0.99, source="llm+student"):
    return Decision(
        label=llm, confidence=confidence, source=source, llm_label=llm, student_label=student or llm, clean=1.0, round=1
    )


def test_the_same_labels_are_no_change():
    """Whatever their order, and whatever a spec still tells of labels that are long gone."""
    assert _changes({"other": "", "login": "passwords", "billing": "invoices"}).is_nothing
    assert _changes(BEFORE, {"older": ("billing",)}).is_nothing


@pytest.mark.parametrize(
    ("after", "told", "expected"),
    [
        ({"money": "invoices", "login": "passwords", "other": ""}, None, {"moved": {"billing": "money"}}),
        (
            {"money": "all about money", "login": "passwords", "other": ""},
            None,
            {"added": ["money"], "removed": ["billing"]},
        ),
        (
            {"money": "all about money", "login": "passwords", "other": ""},
            {"billing": ("money",)},
            {"moved": {"billing": "money"}, "redefined": ["money"]},
        ),
        (
            {"service": "", "other": ""},
            {"billing": ("service",), "login": ("service",)},
            {"moved": {"billing": "service", "login": "service"}},
        ),
        (
            {"billing": "invoices and passwords", "other": ""},
            {"login": ("billing",)},
            {"moved": {"login": "billing"}},
        ),
        (
            {"billing": "invoices", "refund": "money back", "login": "passwords", "other": ""},
            {"billing": ("billing", "refund")},
            {"split": {"billing": ["billing", "refund"]}},
        ),
        ({**BEFORE, "praise": "thanks"}, None, {"added": ["praise"]}),
        ({"billing": "invoices", "other": ""}, None, {"removed": ["login"]}),
        ({**BEFORE, "other": "all else"}, None, {"redefined": ["other"]}),
    ],
    ids=["renamed", "another", "told", "merged", "merged into", "split", "added", "removed", "redefined"],
)
def test_what_happened_is_found_out(after, told, expected):
    """By the meanings where they say it, else by what the spec tells."""
    nothing = {"moved": {}, "split": {}, "added": [], "removed": [], "redefined": []}
    assert nothing | expected == _changes(after, told).as_dict()


def _open(after, told=None):
    decisions = [
        _decision("billing"),
        _decision("login"),
        _decision("other"),
        _decision("other", "billing"),
        _decision("other", confidence=0.5),
        _decision("billing", source="corrected"),
    ]
    notes = [_note(index, one.llm_label) for index, one in enumerate(decisions)]
    changes = _changes(after, told)
    return texts_to_ask_again.texts_opened_by_changes(changes, notes, decisions, labels=list(BEFORE))


def test_a_new_name_asks_nothing():
    """Nor do labels that become one."""
    assert [] == _open({"money": "invoices", "login": "passwords", "other": ""})
    assert [] == _open({"service": "", "other": ""}, {"billing": ("service",), "login": ("service",)})


def test_what_a_voice_gave_to_a_label_that_changed_is_asked_again():
    """However sure it was; what a person said is settled."""
    split = {"billing": "invoices", "refund": "money back", "login": "passwords", "other": ""}
    assert [0, 3] == _open(split, {"billing": ("billing", "refund")})
    assert [1] == _open({"billing": "invoices", "other": ""})
    assert [2, 3, 4] == _open({**BEFORE, "other": "all else"})


def test_a_label_from_nowhere_asks_what_nothing_is_sure_of():
    """The voices differ, or none is sure."""
    assert [3, 4] == _open({**BEFORE, "praise": "thanks"})


def test_earlier_answers_speak_of_the_labels_of_now():
    """Names move, masses of merged labels add up; what is asked again keeps no probabilities."""
    changes = _changes({"service": "", "other": ""}, {"billing": ("service",), "login": ("service",)})
    note = _note(0, "billing", distribution=(0.5, 0.3, 0.2), alternatives=("login", "other"))
    kept = label_changes.annotation_now(note, changes, before=list(BEFORE), after=["service", "other"], is_open=False)
    assert ("service", (0.8, 0.2), ("other",)) == (kept.label, kept.distribution, kept.alternatives)
    again = label_changes.annotation_now(note, changes, before=list(BEFORE), after=["service", "other"], is_open=True)
    assert ("service", None) == (again.label, again.distribution)


def test_what_earlier_rounds_answered_is_called_as_now():
    """An answer of a round before has its new name, and one whose label is gone goes with it: no name is left that the
    label set of now does not know."""
    changes = _changes({"money": "invoices", "login": "keys"}, {"billing": ("money",)})
    note = dataclasses.replace(_note(0, "login"), earlier=("billing", "other", "login"))
    found = label_changes.annotation_now(note, changes, before=list(BEFORE), after=["money", "login"], is_open=False)
    assert ("money", "login") == found.earlier


def test_demonstrations_that_no_longer_hold_are_left_out():
    """Those of labels that were split, removed or redefined, and those that are asked again."""
    shown = [Demonstration(f"text {n}", label, "student", n) for n, label in enumerate(("billing", "login", "other"))]
    changes = _changes({"money": "invoices", "login": "keys", "other": ""})
    found = label_changes.demonstrations_now(shown, changes, open_texts=frozenset({2}))
    assert [("money", "text 0")] == [(demo.label, demo.text) for demo in found]
