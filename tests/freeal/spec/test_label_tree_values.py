"""Labels within labels as a person may write them: what is read, and what is said where it cannot be."""

from __future__ import annotations

import pytest

from freeal.errors import SpecError
from freeal.spec.job_spec import Spec

NESTED = {"billing": {"refund": "money back", "late": None}, "other": "the rest"}
FLAT = {"billing / refund": "money back", "billing / late": "", "other": "the rest"}


def _spec(labels, kind="tree", **more):
    return Spec.from_dict({"description": "d", "labels": labels, "kind": kind, **more})


def _problem(labels, **more):
    with pytest.raises(SpecError) as caught:
        _spec(labels, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [
        NESTED,
        FLAT,
        [{"billing / refund": "money back"}, "billing / late", {"other": "the rest"}],
        [{"billing": [{"refund": "money back"}, "late"]}, {"other": "the rest"}],
        {"billing": {"meaning": None, "labels": {"refund": "money back", "late": None}}, "other": "the rest"},
    ],
)
def test_every_form_says_the_same(labels):
    """Nested, as paths, in lists: the labels are the leaves' paths, in order, and are read again as they are."""
    spec = _spec(labels)
    assert FLAT == spec.labels
    assert spec == Spec.model_validate(spec.model_dump(mode="json"))


def test_what_a_branch_means_counts_for_its_labels():
    """The meaning of a branch stands behind that of each label below it."""
    inside = {"meaning": "about money", "labels": {"refund": "money back", "late": None}}
    found = _spec({"billing": inside, "other": ""}).labels
    assert {"billing / refund": "money back; about money", "billing / late": "about money", "other": ""} == found


def test_one_name_may_stand_under_two_parents():
    """Paths tell them apart."""
    assert ["a / other", "a / x", "b / other"] == list(_spec({"a": ["other", "x"], "b": ["other"]}).labels)


_CYCLE: dict[str, object] = {"b": ""}
_CYCLE["a"] = _CYCLE


@pytest.mark.parametrize(
    ("labels", "where", "problem"),
    [
        ({"a": {"b / c": ""}, "d": ""}, "labels.a.b / c", "stands between levels of a path"),
        (["a", "a / b", "c"], "labels.0", "'a' is a label and has labels below it"),
        (["a / b", "c", "a / b"], "labels.2", "label 'a / b' stands twice"),
        ({"a": ["x", "x"], "b": ""}, "labels.a.1", "label 'x' stands twice"),
        ({"a": ["x", "X"], "b": ""}, "labels.a.1", "differ only by case"),
        ({"a": {}, "b": "", "c": ""}, "labels.a", "the branch 'a' holds no label"),
        ({"a": [], "b": "", "c": ""}, "labels.a", "the branch 'a' holds no label"),
        (
            {"b": {"parent": "a"}, "c": {"parent": "a"}},
            "labels.b.parent",
            "names its parent (write what is above outside",
        ),
        ({"a": {"b": ""}}, "labels", "there is one only, 'a / b'"),
        (["a / b", "c / "], "labels.1", "a level without a name"),
        (["a/b", "c/d"], "labels", "a blank stands on both sides of it: a / b"),
        (["a", "b"], "labels", "no label lies within another"),
        ("a, b", "labels", "must be a tree"),
        (_CYCLE, "labels.a.a", "or within itself"),
    ],
)
def test_what_is_no_tree_is_refused_with_its_place(labels, where, problem):
    """A message names the key and the path."""
    said = _problem(labels)
    assert problem in said
    assert f"key '{where}" in said


def test_labels_within_labels_suggest_the_kind():
    """Without `kind: tree` a mapping of mappings is refused, and the message says what to write."""
    assert "for labels within labels write kind: tree" in _problem(NESTED, kind="single")


@pytest.mark.parametrize("share", [0, 1.2, "much", float("nan")])
def test_a_threshold_is_a_probability(share):
    """`back_off` lies above 0 and at most at 1."""
    assert "key 'back_off'" in _problem(NESTED, back_off=share)


def test_a_threshold_without_a_tree_is_refused():
    """It would be silently ignored."""
    assert "kind: tree" in _problem(["a", "b"], kind="single", back_off=0.7)


def test_a_label_is_said_by_its_path_in_examples():
    """A branch is no label, and what was meant is proposed."""
    problem = _problem(NESTED, examples=[["give it back", "billing"]])
    assert "none of the labels; did you mean 'billing / refund'?" in problem
    assert 1 == len(_spec(NESTED, examples=[["give it back", "billing / refund"]]).examples)
