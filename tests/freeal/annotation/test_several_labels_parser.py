"""Replies that name several labels (freeal/annotation/several_labels_parser.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.annotation.reply_parser import UNSTATED_CONFIDENCE
from freeal.annotation.several_labels_parser import read_several_labels
from freeal.annotation.usable_reply import is_usable_reply, reading_of
from freeal.types import Prompt, Reply, Status

LABELS = ("price", "fast delivery", "a;b")


@pytest.mark.parametrize(
    ("text", "label", "confidence"),
    [
        ('{"labels": ["price", "fast delivery"], "confidence": 0.8}', "price;fast delivery", 0.8),
        ('{"labels": ["Fast_Delivery", "PRICE", "price"], "confidence": 80}', "price;fast delivery", 0.8),
        ('{"labels": []}', "(none)", UNSTATED_CONFIDENCE),
        ('{"labels": ["none"], "confidence": 0.7}', "(none)", 0.7),
        ('{"labels": "price, fast delivery"}', "price;fast delivery", UNSTATED_CONFIDENCE),
        ('{"labels": ["a;b"]}', r"a\;b", UNSTATED_CONFIDENCE),
        ('{"label": "price"}', "price", UNSTATED_CONFIDENCE),
        ('```json\n{"response": {"labels": ["price"]}}\n```', "price", UNSTATED_CONFIDENCE),
        ("Labels: price, fast delivery", "price;fast delivery", UNSTATED_CONFIDENCE),
        ("- price\n- a;b", None, 0.0),
        ("none of these", "(none)", UNSTATED_CONFIDENCE),
        ('{"labels": ["price", "speed"]}', None, 0.0),
        ('{"labels": [1]}', None, 0.0),
        ('{"labels": ["price"', None, 0.0),
        ("", None, 0.0),
    ],
)
def test_labels_are_read(text, label, confidence):
    """All that is named, in the order of the labels; one name that is no label makes it unusable, for what it meant
    would be missing."""
    found = read_several_labels(Reply(text=text), LABELS)
    assert (label, pytest.approx(confidence)) == (found.label, found.confidence)
    assert (Status.INVALID_ANSWER if label is None else Status.OK) == found.status


def test_refused_and_cut_off_replies():
    """A refusal is one; of a reply that was cut off only a whole object counts."""
    assert Status.REFUSED == read_several_labels(Reply(outcome="refused"), LABELS).status
    assert "price" == read_several_labels(Reply(text='{"labels": ["price"]} and', outcome="cut_off"), LABELS).label
    assert read_several_labels(Reply(text="price, fa", outcome="cut_off"), LABELS).label is None


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=5, unique=True))
def test_no_reply_raises(text, labels):
    """Whatever a model says and whatever the labels are called."""
    read_several_labels(Reply(text=text), labels)


def test_the_prompt_says_how_its_reply_is_read():
    """The same words are one label to one prompt and several to another."""
    one, several = Prompt("", "", "", LABELS), Prompt("", "", "", LABELS, several=True)
    reply = Reply(text='{"labels": ["price", "fast delivery"], "label": "price"}')
    assert ("price", "price;fast delivery") == (reading_of(reply, one).label, reading_of(reply, several).label)
    assert is_usable_reply(Reply(text='{"labels": []}'), several)
    assert not is_usable_reply(Reply(text='{"labels": []}'), one)
