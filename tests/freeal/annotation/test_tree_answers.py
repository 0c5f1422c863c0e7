"""Answers about labels that are a tree: a path, a name, or a branch."""

from __future__ import annotations

import json

import pytest

from freeal.annotation.prompts import label_prompt
from freeal.annotation.reply_parser import read_reply
from freeal.annotation.usable_reply import is_usable_reply
from freeal.llm.answer_schema import answer_schema
from freeal.types import Label, Reply, Status, Task

LEAVES = ("billing / refund", "billing / other", "technical / crash", "technical / other", "praise")
BRANCHES = ("billing", "technical")
TASK = Task("What is it about?", tuple(Label(name) for name in LEAVES), "tree")


@pytest.mark.parametrize(
    ("said", "label", "branch"),
    [
        ("billing / refund", "billing / refund", None),
        ("Billing/Refund", "billing / refund", None),
        ("refund", "billing / refund", None),
        ("billing", None, "billing"),
        ("other", None, None),  # under two parents
        ("delivery", None, None),
    ],
)
def test_an_answer_names_a_node(said, label, branch):
    """As JSON and as bare words; a name under two parents is no answer."""
    for text in (json.dumps({"label": said, "confidence": 0.8}), said):
        reading = read_reply(Reply(text=text), LEAVES, BRANCHES)
        assert (label, branch) == (reading.label, reading.branch)
        assert (reading.status is Status.OK) == (label is not None or branch is not None)
        assert is_usable_reply(Reply(text=text), label_prompt(TASK, "t", style="chat")) == (reading.status is Status.OK)


def test_a_sentence_may_name_a_path():
    """The whole path counts, not the branch in it."""
    reading = read_reply(Reply(text="The label of this text is billing / refund, I think."), LEAVES, BRANCHES)
    assert "billing / refund" == reading.label


def test_no_branch_is_an_answer_where_labels_are_no_tree():
    """The parser knows branches from the prompt alone."""
    assert read_reply(Reply(text="billing"), LEAVES).branch is None


def test_the_schema_holds_branches_for_the_label_alone():
    """Alternatives and probabilities are of labels."""
    found = answer_schema(LEAVES, branches=BRANCHES, open_labels=True)["properties"]
    assert [*LEAVES, *BRANCHES] == found["label"]["enum"]
    assert list(LEAVES) == found["alternatives"]["items"]["enum"]


def test_a_small_model_is_asked_about_paths():
    """A completion prompt scores the labels, and no branch."""
    prompt = label_prompt(TASK, "t", style="completion")
    assert (LEAVES, ()) == (prompt.labels, prompt.branches)
