"""freeal/annotation/reply_parser.py: the only reply parser."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.annotation.reply_parser import UNSTATED_CONFIDENCE, Reading, read_reply, read_texts
from freeal.types import Reply, Status

LABELS = ("positive", "negative", "very negative")

label_sets = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True)
outcomes = st.sampled_from(["answer", "refused", "cut_off", "empty"])


@pytest.mark.parametrize(
    ("text", "label", "confidence"),
    [
        ('{"label": "positive", "confidence": 0.8}', "positive", 0.8),
        ('```json\n{"label": "negative", "confidence": 1}\n```', "negative", 1.0),
        ('Sure! {"label": "POSITIVE", "confidence": "0.7"} Anything else?', "positive", 0.7),
        ('{"label": "positive", "confidence": 85}', "positive", 0.85),
        ('{"label": "positive", "confidence": -3}', "positive", UNSTATED_CONFIDENCE),
        ('{"label": "positive", "confidence": NaN}', "positive", UNSTATED_CONFIDENCE),
        ('{"label": "positive", "confidence": null}', "positive", UNSTATED_CONFIDENCE),
        ('{"label": "It is very negative."}', "very negative", UNSTATED_CONFIDENCE),
        ('{"thought": {"a": 1}} {"label": "negative"}', "negative", UNSTATED_CONFIDENCE),
    ],
)
def test_json_answers(text, label, confidence):
    """A JSON object is found wherever it stands; its confidence is taken only where it makes sense."""
    assert Reading(label, confidence, Status.OK) == read_reply(Reply(text), LABELS)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("positive", "positive"),
        ("  Positive.\n", "positive"),
        ('"NEGATIVE"', "negative"),
        ("**Label: very negative**", "very negative"),
        ("The answer is positive", "positive"),
        ("Label:positive", "positive"),
        ("I would call this one negative, since the customer is angry.", "negative"),
        ("Very\u00a0negative", "very negative"),
        ("very negative, indeed very negative", "very negative"),
    ],
)
def test_plain_answers(text, label):
    """Any case, quotes, a lead-in, or one label in a sentence."""
    assert Reading(label, UNSTATED_CONFIDENCE, Status.OK) == read_reply(Reply(text), LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "neutral",
        "positive or negative",
        "not positive",
        "This isn't a positive review.",
        "positively",
        '{"label": "neutral", "confidence": 1.0}',
        '{"label": ["positive", "negative"]}',
        '{"label": null}',
        '{"label": true}',
    ],
)
def test_unusable_answers(text):
    """No label, two labels, a negated one, part of a word or one outside the set: never a guess."""
    assert Reading(None, 0.0, Status.INVALID_ANSWER) == read_reply(Reply(text), LABELS)


def test_a_refusal_is_a_refusal_whatever_it_says():
    """Words in a refusal are not an answer."""
    assert Status.REFUSED is read_reply(Reply("positive", outcome="refused"), LABELS).status


def test_a_cut_off_answer_needs_its_whole_object():
    """Half an object or a bare word may have become anything; a whole object stands."""
    assert None is read_reply(Reply('{"label": "very neg', outcome="cut_off"), LABELS).label
    assert None is read_reply(Reply("negative", outcome="cut_off"), LABELS).label
    assert "negative" == read_reply(Reply('{"label": "negative"} and', outcome="cut_off"), LABELS).label


@pytest.mark.parametrize(
    ("text", "labels", "label"),
    [
        ("Label: -1", ("-1", "0", "1"), "-1"),
        ("-1.", ("-1", "0", "1"), "-1"),
        ("-1", ("0", "1"), None),
        ("I say A+ here", ("A", "A+"), "A+"),
        ("C#.", ("C", "C#"), "C#"),
        ("It is C++", ("C", "Java"), None),
        ('{"label": "non-toxic"}', ("toxic", "safe"), None),
        ("- positive", LABELS, "positive"),
        ("refund request", ("refund", "refund_request"), "refund_request"),
        ("It is a Card Payment Fee", ("card_payment", "card_payment_fee"), "card_payment_fee"),
        ("card payment fee", ("card_payment", "payment_fee"), None),
        ("That is a notable case", ("not_able", "other"), None),
        ("iphone it is", ("iPhone", "other"), "iPhone"),
        ("Card payment", ("card_payment", "card-payment"), None),
        ("It is card-payment", ("card_payment", "card-payment"), "card-payment"),
        ("", (" ", "a"), None),
    ],
)
def test_part_of_a_longer_name_is_not_the_name(text, labels, label):
    """Signs, hyphens and further words make another name; where two are as good, none is taken."""
    assert label == read_reply(Reply(text), labels).label


words = st.lists(st.sampled_from(["card", "payment", "fee", "charged", "top", "up", "not"]), min_size=1, max_size=4)
SPELLINGS = {
    "snake": "_".join,
    "spaces": " ".join,
    "hyphens": "-".join,
    "title": lambda parts: " ".join(parts).title(),
    "upper": lambda parts: "_".join(parts).upper(),
    "camel": lambda parts: parts[0] + "".join(part.title() for part in parts[1:]),
}
spellings = st.sampled_from(sorted(SPELLINGS))


@given(st.lists(words, min_size=1, max_size=150, unique_by="".join), spellings, spellings, st.data())
def test_names_that_contain_each_other_are_told_apart(names, ours, theirs, data):
    """However the labels are spelled and however the model spells one of them, that one is read."""
    labels = [SPELLINGS[ours](name) for name in names]
    said = data.draw(st.integers(0, len(names) - 1))
    answer = SPELLINGS[theirs](names[said])
    for text in (answer, f'"{answer}".', f"Label: {answer}", json.dumps({"label": answer})):
        assert labels[said] == read_reply(Reply(text), labels).label


@given(st.lists(words, min_size=1, max_size=150, unique_by="".join), spellings, spellings, st.data())
def test_a_sentence_never_gives_a_part_of_the_label_it_mentions(names, ours, theirs, data):
    """The label mentioned or, where its spelling leaves a doubt, none: never a shorter name within it."""
    labels = [SPELLINGS[ours](name) for name in names]
    said = data.draw(st.integers(0, len(names) - 1))
    sentence = f"This looks like {SPELLINGS[theirs](names[said])} to me."
    assert read_reply(Reply(sentence), labels).label in {labels[said], None}
    if "camel" not in (ours, theirs):
        assert labels[said] == read_reply(Reply(sentence), labels).label


@given(st.lists(words, min_size=2, max_size=60, unique_by="".join), spellings)
def test_a_name_outside_the_set_is_not_cut_down_to_one_within(names, ours):
    """A longer name written as one word is no mention of the labels it is made of."""
    labels = [SPELLINGS[ours](name) for name in names]
    outside = "_".join([*names[0], "reversed"])
    assert None is read_reply(Reply(json.dumps({"label": outside})), labels).label


def test_labels_that_differ_in_case_only():
    """The spelling decides; where it does not, nothing is guessed."""
    assert "IT" == read_reply(Reply('{"label": "IT"}'), ("IT", "it")).label
    assert None is read_reply(Reply('{"label": "It"}'), ("IT", "it")).label


@pytest.mark.parametrize("text", ["[" * 100_000, '{"label":' * 20_000, '{"label": ' + "9" * 5_000 + "}", "{" * 100_000])
def test_hostile_nesting_is_only_unusable(text):
    """Deep nesting and huge numbers neither crash nor hang the parser."""
    assert None is read_reply(Reply(text), LABELS).label
    assert isinstance(read_texts(Reply(text)), list)


@given(st.text(), label_sets, outcomes)
def test_any_text_is_read(text, labels, outcome):
    """Never an exception, never a label outside the set, confidence within 0..1."""
    reading = read_reply(Reply(text, outcome=outcome), labels)
    assert reading.label is None or reading.label in labels
    assert 0.0 <= reading.confidence <= 1.0
    assert (reading.label is not None) == (reading.status is Status.OK)


@given(label_sets, st.data(), st.floats(0, 1))
def test_a_proper_answer_is_read_back(labels, data, confidence):
    """Whatever the labels look like, the JSON we ask for gives the label it names."""
    label = data.draw(st.sampled_from(labels))
    text = json.dumps({"label": label, "confidence": confidence})
    assert Reading(label, confidence, Status.OK) == read_reply(Reply(text), labels)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["label", "confidence", "texts"]), inner),
    )
)
def test_any_json_is_read(value):
    """JSON of every shape passes through both readers without an exception."""
    reply = Reply(json.dumps(value))
    assert read_reply(reply, LABELS).label in {None, *LABELS}
    assert all(text == text.strip() and text for text in read_texts(reply))


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ('{"texts": [" one ", "two", 3, ""]}', ["one", "two"]),
        ('1. "one"\n2. two\n\n', ["one", "two"]),
        ("Here are two:\n- <text>one</text>\n* two", ["one", "two"]),
        ('{"texts": ["one", "tw', []),
        ("", []),
    ],
)
def test_written_texts(text, texts):
    """A JSON list, or lines without their bullets; half a JSON is nothing."""
    assert texts == read_texts(Reply(text))


@given(st.text(), outcomes)
def test_any_text_is_read_for_texts(text, outcome):
    """Never an exception, never an empty text."""
    assert all(item.strip() for item in read_texts(Reply(text, outcome=outcome)))


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([{"label": "positive", "probability": 0.7}, {"label": "negative", "probability": 0.3}], (0.7, 0.3, 0.0)),
        ({"positive": 0.6, "very negative": 0.4}, (0.6, 0.0, 0.4)),
        ([{"label": "NEGATIVE", "probability": 80}, {"label": "positive", "probability": 20}], (0.2, 0.8, 0.0)),
        ([{"label": "negative", "probability": 0.8}], (0.1, 0.8, 0.1)),
        ({"positive": 0.9, "negative": 0.8}, (0.9 / 1.7, 0.8 / 1.7, 0.0)),  # each for itself
        ([{"label": "no such", "probability": 1.0}], None),
        ([{"label": "positive", "probability": "high"}, "negative"], None),
        ([{"label": "positive", "probability": float("nan")}], None),
        ([], None),
        ("positive", None),
    ],
)
def test_probabilities_of_labels(stated, expected):
    """A list or keys, in percent or not; what is missing to 1 is shared by labels that were not named; what makes no
    sense is none, and the label stands."""
    text = json.dumps({"label": "positive", "confidence": 0.7, "probabilities": stated})
    found = read_reply(Reply(text), LABELS)
    assert "positive" == found.label
    assert found.probabilities == (expected if expected is None else pytest.approx(expected))
