"""freeal/llm/replies/label_logprobs.py: tokens to the probability of a label."""

from __future__ import annotations

import math

import pytest

from freeal.llm.replies.label_logprobs import label_probability

LABELS = ("good", "good enough", "bad")


def entry(text, probability, **others):
    """One place of an answer: what was written, and what else was likely there."""
    told = [{"token": name, "logprob": math.log(chance)} for name, chance in {text: probability, **others}.items()]
    return told[0] | {"top_logprobs": told if others else []}


def choice(*entries):
    return {"message": {"content": ""}, "logprobs": {"content": list(entries)}}


def test_it_is_the_labels_share_of_what_leads_to_any_label():
    """Of 0.6 for this label, 0.2 for another and 0.2 for neither: three quarters."""
    answer = choice(
        entry('{"label": "', 1.0), entry("bad", 0.6, good=0.1, go=0.1, awful=0.2), entry('"', 1.0), entry("}", 0.5)
    )
    assert 0.75 == pytest.approx(label_probability(answer, LABELS))


def test_what_stands_around_the_label_does_not_count():
    """Fences, spaces and the stated confidence were chosen by chance as well."""
    answer = choice(
        entry("```json\n", 0.01),
        entry('{"label" :"', 0.1),
        entry("bad", 0.5, good=0.5),
        entry('"', 1.0),
        entry(', "confidence": 0.9}', 0.2),
    )
    assert 0.5 == pytest.approx(label_probability(answer, LABELS))


def test_a_label_that_begins_another_ends_with_its_quote():
    """Whether it goes on is part of the choice; both begin with the same token, which decides nothing."""
    told = {" enough": 0.25}
    answer = choice(entry('{"label": "', 1.0), entry("good", 0.5, Good=0.4), entry('"', 0.75, **told), entry("}", 1.0))
    assert 0.75 == pytest.approx(label_probability(answer, LABELS))


def test_a_token_may_begin_before_the_label_and_end_after_it():
    """Servers cut as their vocabulary has it; an alternative is read with the same beginning."""
    alternatives = {': "good"': 0.2, ': "': 0.2, ": [": 0.5}
    answer = choice(entry('{"label"', 1.0), entry(': "bad"}', 0.2, **alternatives))
    # ': "' alone leads to every label, this one among them.
    assert (0.2 + 0.2) / (0.2 + 0.2 + 0.2) == pytest.approx(label_probability(answer, LABELS))


def test_without_alternatives_it_is_the_product_of_its_tokens():
    """What a server tells that was asked for none, or knows none."""
    answer = choice(entry('{"label":"', 0.3), entry("good", 0.5), entry(" enough", 0.5), entry('"}', 0.8))
    assert 0.2 == pytest.approx(label_probability(answer, LABELS))


def test_a_character_may_be_cut_in_two():
    """Then only the bytes say what a token is."""
    whole = "ü".encode()
    parts = [{"token": "\ufffd", "bytes": [byte], "logprob": math.log(0.5)} for byte in whole]
    answer = choice(entry('{"label": "', 1.0), *parts, entry('"', 1.0))
    assert 0.25 == pytest.approx(label_probability(answer, ("ü", "o")))


@pytest.mark.parametrize(
    "answer",
    [
        {"message": {"content": '{"label": "good"}'}},
        {"logprobs": None},
        {"logprobs": {"content": None}},
        choice(entry("good", 0.5)),
        choice(entry('{"label": "', 1.0), entry("ugly", 0.9), entry('"', 1.0)),
        choice(entry('{"label": "', 1.0), entry("Good", 0.9), entry('"', 1.0)),
    ],
)
def test_nothing_is_made_up(answer):
    """No log-probabilities, no JSON, or no label spelled as it was given: nothing is told."""
    assert None is label_probability(answer, LABELS)


def test_a_draft_among_thoughts_does_not_count():
    """Of several labels in what was written the last one is the answer."""
    draft = choice(entry('{"label": "', 1.0), entry("good", 0.9, bad=0.1), entry('"}', 1.0))
    final = [entry('</think>{"label": "', 1.0), entry("bad", 0.6, good=0.4), entry('"', 1.0)]
    assert 0.6 == pytest.approx(label_probability(choice(*draft["logprobs"]["content"], *final), LABELS))
