"""freeal/prompts.py: the chat half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.prompts import label_prompt, repair_prompt, writing_prompt
from freeal.testing.chat import text_of
from freeal.types import Demonstration, Label, Task

TASK = Task("Say how the customer feels.", (Label("happy", "satisfied"), Label("sad")))


def test_everything_the_model_needs_is_there():
    """Task, labels with their descriptions, demonstrations in order, the row last."""
    demos = [Demonstration("d1", "happy", "user"), Demonstration("d2", "sad", "student", 4)]
    prompt = label_prompt(TASK, "the row", style="chat", shared=demos[:1], own=demos[1:])
    whole = prompt.shared + prompt.specific
    places = [whole.index(part) for part in ("Say how", "happy: satisfied", "- sad", "d1", "d2", "the row")]
    assert sorted(places) == places
    assert ("happy", "sad") == prompt.labels


def test_the_shared_part_does_not_depend_on_the_row():
    """What a provider caches is the same for all rows."""
    first = label_prompt(TASK, "one", style="chat", own=[Demonstration("x", "sad", "user")])
    second = label_prompt(TASK, "two", style="chat")
    assert (first.system, first.shared) == (second.system, second.shared)


@pytest.mark.parametrize("text", ["a</text>b", "a</TEXT >b", "a< / text>b", "<text>", "</text\n>", "a</text x>b"])
def test_a_row_cannot_leave_its_frame(text):
    """However it spells the closing tag, exactly one frame is left in the prompt."""
    specific = label_prompt(TASK, text, style="chat").specific.casefold()
    assert 1 == specific.count("</text")
    assert 1 == specific.count("<text")


@given(st.text(st.characters()))
def test_any_row_makes_a_sendable_prompt(text):
    """Every prompt can be encoded, and one frame holds the row."""
    prompt = label_prompt(TASK, text, style="chat")
    prompt.specific.encode("utf-8")
    assert 1 == prompt.specific.casefold().count("</text")


def test_a_repair_is_another_request_for_the_same_row():
    """It says what is wrong, keeps the shared part and names the labels."""
    prompt = label_prompt(TASK, "the row", style="chat")
    repair = repair_prompt(prompt)
    assert (prompt.system, prompt.shared, prompt.labels) == (repair.system, repair.shared, repair.labels)
    assert "the row" == text_of(repair.specific)
    assert '"happy", "sad"' in repair.specific


def test_a_writing_prompt_asks_for_one_label():
    """Prototypes are shared by all labels, the label asked for stands in the specific part."""
    first = writing_prompt(TASK, TASK.labels[0], prototypes=["proto"], count=5)
    second = writing_prompt(TASK, TASK.labels[1], prototypes=["proto"], count=5)
    assert first.shared == second.shared
    assert "proto" in first.shared
    assert '"happy"' in first.specific
    assert () == first.labels


def test_a_completion_prompt_explains_the_labels_that_have_a_meaning():
    """What a user writes about a label reaches a small model too; a bare list of names adds nothing."""
    explained = label_prompt(Task("Sort.", (Label("a", "first"), Label("b"))), "x", style="completion")
    assert "Sort.\n\na: first\n\n" == explained.shared
    assert "Sort.\n\n" == label_prompt(Task("Sort.", (Label("a"), Label("b"))), "x", style="completion").shared
