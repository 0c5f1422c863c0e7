"""freeal/annotation/prompts.py: the chat half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.annotation.prompts import label_prompt, repair_prompt, writing_prompt
from freeal.llm.answer_schema import answer_schema
from freeal.testing.scripted_model import text_of
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
    first = writing_prompt(TASK, TASK.labels[0].name, prototypes=["proto"], count=5)
    second = writing_prompt(TASK, TASK.labels[1].name, prototypes=["proto"], count=5)
    assert first.shared == second.shared
    assert "proto" in first.shared
    assert '"happy"' in first.specific
    assert () == first.labels


def test_all_labels_stand_in_a_completion_prompt():
    """With what a user writes about them; one without a meaning is not left out among the others."""
    explained = label_prompt(Task("Sort.", (Label("a", "first"), Label("b"))), "x", style="completion")
    assert "Sort.\n\na: first\nb\n\n" == explained.shared
    bare = label_prompt(Task("Sort.", (Label("a"), Label("b"))), "x", style="completion")
    assert "Sort.\n\na\nb\n\n" == bare.shared


MANY = Task("Sort.", tuple(Label(f"label_{number}", f"meaning {number}") for number in range(30)))


def test_a_shortlist_gives_a_row_its_own_meanings():
    """The nearest labels stand with their meanings in the row's part, in the order given, before demonstrations."""
    own = [Demonstration("d1", "label_9", "student", 4)]
    prompt = label_prompt(MANY, "the row", style="chat", own=own, shortlist=["label_7", "label_3"])
    parts = ("label_7: meaning 7\n", "label_3: meaning 3\n", "d1", "the row")
    places = [prompt.specific.index(part) for part in parts]
    assert sorted(places) == places
    assert "meaning 4" not in prompt.specific


def test_chat_rows_with_different_shortlists_share_all_a_provider_caches():
    """Same system, shared part and schema for all of them: every label is named, none explained, all are answers."""
    shared = [Demonstration("d1", "label_9", "student", 4)]
    first, second = (
        label_prompt(MANY, text, style="chat", shared=shared, shortlist=labels)
        for text, labels in (("one", ["label_7"]), ("two", ["label_3", "label_1"]))
    )
    assert (first.system, first.shared, first.labels) == (second.system, second.shared, second.labels)
    assert answer_schema(MANY.names) == answer_schema(first.labels)
    assert all(f"- {name}\n" in first.shared for name in MANY.names)
    assert "meaning " not in first.shared
    assert "may be any label of the list" in first.shared
    assert "d1" in first.shared


def test_a_completion_prompt_is_about_its_shortlist_only():
    """The labels scored are those of the list, in its order; the shared part is the same for all rows."""
    first = label_prompt(MANY, "one", style="completion", shortlist=["label_7", "label_3"])
    second = label_prompt(MANY, "two", style="completion", shortlist=["label_5"])
    assert ("label_7", "label_3") == first.labels
    assert "label_7: meaning 7\nlabel_3: meaning 3\n\nInput: one\nOutput:" == first.specific
    assert "Sort.\n\n" == first.shared == second.shared


def test_a_shortlist_of_names_without_meanings_shows_the_names():
    """Those that are scored, before the row; no others."""
    bare = Task("Sort.", tuple(Label(label.name) for label in MANY.labels))
    prompt = label_prompt(bare, "one", style="completion", shortlist=["label_7", "label_3"])
    assert "Sort.\n\n" == prompt.shared
    assert "label_7\nlabel_3\n\nInput: one\nOutput:" == prompt.specific


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_a_list_of_all_labels_is_no_shortlist(style):
    """Few labels give the prompt they always gave, so answers already paid for stay known."""
    plain = label_prompt(TASK, "the row", style=style)
    assert plain == label_prompt(TASK, "the row", style=style, shortlist=["sad", "happy"])


@pytest.mark.parametrize("shortlist", [[], ["happy", "happy"], ["glad"]])
def test_a_list_that_cannot_be_meant_is_refused(shortlist):
    """Empty, with a label twice, or with a name that is no label."""
    with pytest.raises(ValueError, match="shortlist"):
        label_prompt(TASK, "the row", style="chat", shortlist=shortlist)


def test_a_repair_names_every_label_whatever_the_shortlist():
    """The second question spells all of them."""
    repair = repair_prompt(label_prompt(MANY, "the row", style="chat", shortlist=["label_7"]))
    assert all(f'"{name}"' in repair.specific for name in MANY.names)
