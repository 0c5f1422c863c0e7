"""freeal/cost_estimate/token_count_range.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.cost_estimate.token_count_range import Span, token_span


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("You have to put your ear to the cat fountain to hear it, and both cats drink twice as much.", 22),
        ("这个产品非常好我很喜欢它的设计和质量。", 35),
        ("Этот продукт очень хороший, мне нравится", 31),
        ("1234567890 2024-01-01", 21),
    ],
)
def test_the_span_holds_what_a_tokenizer_counts(text, tokens):
    """SmolLM2's count of each lies between low and high."""
    span = token_span(text)
    assert span.low <= tokens <= span.high


@given(st.text(st.characters()), st.text(st.characters()))
def test_tokens_add_up(first, second):
    """Any text has a span, high not below low, and that of two texts is the sum."""
    both, apart = token_span(first + second), token_span(first) + token_span(second)
    assert both.low <= both.high
    assert pytest.approx((both.low, both.high)) == (apart.low, apart.high)


def test_spans_multiply_end_by_end():
    """A share from low to high is taken of an amount from low to high."""
    assert Span(1, 6) == Span(2, 3) * Span(0.5, 2)
    assert Span(4, 6) == Span(2, 3) * 2
