"""Calls of one kind and what they cost (freeal/cost_estimate/call_cost_range.py)."""

from __future__ import annotations

import pytest

from freeal.cost_estimate.call_cost_range import CallGroup
from freeal.cost_estimate.token_count_range import NOTHING, Span
from freeal.money.prices import KNOWN_PRICES


def _calls(count):
    one = Span(count, count)
    return CallGroup(one, one * 100, NOTHING, one * 10, NOTHING, 0)


@pytest.mark.parametrize("model", sorted(name for name, price in KNOWN_PRICES.items() if price.long_prompt_tokens))
def test_ten_times_the_calls_cost_ten_times_as_much(model):
    """However many short prompts there are, none of them is a long one: what together passes the length from which a
    prompt costs more is no prompt."""
    price = KNOWN_PRICES[model]
    few, many = (_calls(count).cost_range_usd(price) for count in (100, 1_000))
    assert price.long_prompt_tokens <= 1_000 * 100
    assert (pytest.approx(10 * few.low), pytest.approx(10 * few.high)) == (many.low, many.high)
