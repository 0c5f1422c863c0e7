"""freeal/money/budget_ledger.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from freeal.errors import BudgetReachedError, ConfigError
from freeal.money.budget_ledger import Ledger
from freeal.money.call_ceiling import call_ceiling
from freeal.money.prices import BATCH_SHARE, FREE, KNOWN_PRICES, PRICES_AS_OF, cost_usd, price_of, without_price
from freeal.settings import LlmSettings, Price
from freeal.types import Bill, Prompt, Usage

PRICE = Price(input=1.0, output=5.0, cached_input=0.1)
DOLLAR = Usage(calls=1, input_tokens=1_000_000)


def test_each_kind_of_token_has_its_price():
    """Plain, written, read and output tokens: 0.5*1 + 0.3*1.25 + 0.2*0.1 + 0.1*5."""
    usage = Usage(1, 1_000_000, cached_tokens=200_000, output_tokens=100_000, cache_write_tokens=300_000)
    assert pytest.approx(0.5 + 0.375 + 0.02 + 0.5) == cost_usd(usage, PRICE)


@pytest.mark.parametrize(("provider", "expected_usd"), [("anthropic", 0.2), ("openai", 2.0)])
def test_reading_a_cache_of_unknown_price_is_never_booked_below_it(provider, expected_usd):
    """A tenth of input at Anthropic; elsewhere a half, a quarter or a tenth is asked, so all of it is counted."""
    price = price_of(provider, "m", {"m": Price(input=2.0, output=0.0)})
    assert pytest.approx(expected_usd) == cost_usd(Usage(1, 1_000_000, cached_tokens=1_000_000), price)


def test_a_long_prompt_is_reserved_and_booked_at_its_own_price():
    """Above the limit all of the call costs the factor; several short calls together are not a long one."""
    price = Price(input=1.0, output=5.0, long_prompt_tokens=100_000, long_prompt_factor=5.0)
    ledger = Ledger(price, None)
    long, short = Usage(1, 100_001, output_tokens=100), Usage(1, 60_000)
    plain_usd = (100_001 + 500) / 1e6
    assert pytest.approx(5 * plain_usd) == ledger.reserve(long).usd
    assert pytest.approx(0.12) == ledger.reserve(short, short).usd
    bill = ledger.settle(ledger.reserve(long, short), long, short)
    assert (pytest.approx(5 * plain_usd + 0.06), 2) == (bill.usd, bill.usage.calls)
    batch = ledger.settle(ledger.reserve(long, share=BATCH_SHARE), long)
    assert pytest.approx(2.5 * plain_usd) == batch.usd


def test_what_is_under_way_is_held_whatever_the_cap_says():
    """A cap that was lowered since holds for all that comes after."""
    ledger = Ledger(PRICE, 0.5)
    ledger.release(ledger.hold(2.0))
    ledger.hold(0.4)
    with pytest.raises(BudgetReachedError):
        ledger.reserve(Usage(1, 200_000))


def test_a_call_that_could_pass_the_cap_is_not_made():
    """reserve raises before the money could be spent, and names amount and key."""
    ledger = Ledger(PRICE, 2.5)
    ledger.settle(ledger.reserve(DOLLAR), DOLLAR)
    ledger.reserve(DOLLAR)
    with pytest.raises(BudgetReachedError, match=r"budget_usd.*1\.0000 of 2\.5000"):
        ledger.reserve(DOLLAR)
    assert (1.0, 1.0) == (ledger.usd, ledger.reserved_usd)


def test_settling_for_less_makes_room():
    """What a call did not use is free again, as is a released reservation."""
    ledger = Ledger(PRICE, 1.0)
    ledger.settle(ledger.reserve(DOLLAR), Usage(1, 1000))
    ledger.release(ledger.reserve(Usage(1, 900_000)))
    ledger.reserve(Usage(1, 900_000))
    assert pytest.approx(0.9) == ledger.reserved_usd


def test_a_batch_is_reserved_and_settled_at_its_share():
    """Half the price both before and after; live calls beside it keep theirs."""
    ledger = Ledger(PRICE, 2.0)
    batch = ledger.reserve(DOLLAR + DOLLAR, share=BATCH_SHARE)
    live = ledger.reserve(DOLLAR)
    assert 2.0 == ledger.reserved_usd
    assert Bill(0.5, DOLLAR) == ledger.settle(batch, DOLLAR)
    ledger.settle(live, DOLLAR)
    assert (1.5, DOLLAR + DOLLAR) == (ledger.usd, ledger.usage)


def test_known_prices_say_when_they_were_taken():
    """The day stands in freeal.yaml beside the prices it repeats."""
    text = (Path(__file__).resolve().parents[3] / "freeal.yaml").read_text(encoding="utf-8")
    assert PRICES_AS_OF in text
    assert [] == [model for model in KNOWN_PRICES if model not in text]
    example = re.search(r"claude-haiku-5-5: (\{.*?\})", text.replace("#", ""), re.DOTALL)
    assert KNOWN_PRICES["claude-haiku-5-5"] == Price(**yaml.safe_load(example[1]))


def test_equal_reservations_are_kept_apart():
    """Two calls of the same size reserve twice."""
    ledger = Ledger(PRICE, None)
    first, _ = ledger.reserve(DOLLAR), ledger.reserve(DOLLAR)
    ledger.release(first)
    assert 1.0 == ledger.reserved_usd


def test_earlier_spend_of_the_same_job_counts():
    """After a restart the cap still covers the whole job."""
    ledger = Ledger(PRICE, 1.5, spent=Bill(1.0, DOLLAR))
    with pytest.raises(BudgetReachedError):
        ledger.reserve(DOLLAR)


def test_a_free_model_never_reaches_a_budget():
    """A budget of zero is fine where nothing costs anything, and `free` says so."""
    ledger = Ledger(FREE, 0.0)
    ledger.settle(ledger.reserve(DOLLAR), DOLLAR)
    assert (True, 0.0) == (ledger.free, ledger.usd)
    assert not Ledger(PRICE, None).free
    assert not Ledger(None, None).free


def test_a_budget_without_a_price_is_an_error_that_names_the_key():
    """The message says which key to add."""
    with pytest.raises(ConfigError, match=r"llm\.prices\.some-model"):
        Ledger(None, 1.0, model="some-model")


def test_where_prices_come_from():
    """Settings first, local is free, the known list by undated name, unknown is None."""
    assert PRICE == price_of("anthropic", "claude-haiku-5-5", {"claude-haiku-5-5": PRICE})
    assert FREE == price_of("local", "anything", {})
    assert KNOWN_PRICES["claude-haiku-4-5"] == price_of("anthropic", "claude-haiku-4-5-20251001", {})
    assert None is price_of("openai", "claude-haiku-5-5", {})


@given(st.text(), st.text(), st.lists(st.text(min_size=1), max_size=4))
def test_the_ceiling_reserves_a_token_for_every_byte(shared, specific, labels):
    """A call reserves more than it can use, whatever the script it is written in."""
    prompt = Prompt("", shared, specific, tuple(labels))
    written = "".join((shared, specific, *labels)).encode("utf-8", "replace")
    assert len(written) < call_ceiling(prompt).input_tokens


@given(st.lists(st.tuples(st.integers(0, 400_000), st.floats(0, 1)), max_size=40))
def test_spend_never_passes_the_cap(calls):
    """Whatever is reserved and settled (never above its reservation), the cap holds."""
    ledger = Ledger(PRICE, 1.0)
    for tokens, used in calls:
        try:
            reservation = ledger.reserve(Usage(1, tokens))
        except BudgetReachedError:
            continue
        ledger.settle(reservation, Usage(1, int(tokens * used)))
    assert ledger.usd <= 1.0 + 1e-9


def test_two_models_of_a_job_share_the_cap_and_each_is_booked_at_its_price():
    """A million tokens at 1 and at 10 USD are 11; what one has set aside the other cannot spend."""
    ledger = Ledger(PRICE, 25.0, model="cheap")
    other = ledger.beside(Price(input=10.0, output=10.0), model="dear")
    ledger.settle(ledger.reserve(DOLLAR), DOLLAR)
    other.settle(other.reserve(DOLLAR), DOLLAR)
    assert pytest.approx(11.0) == ledger.usd == other.usd
    held = other.reserve(DOLLAR)
    assert 10.0 == ledger.reserved_usd
    with pytest.raises(BudgetReachedError):
        other.reserve(DOLLAR)
    ledger.reserve(DOLLAR)
    other.release(held)
    assert not other.free


def test_a_second_model_without_a_price_cannot_keep_a_cap():
    """The error names its key; without a cap its calls cost nothing that is known."""
    with pytest.raises(ConfigError, match=r"the price of dear is not known.*llm\.prices\.dear|llm\.prices\.dear"):
        Ledger(PRICE, 1.0, model="cheap").beside(None, model="dear")
    assert not Ledger(PRICE, None, model="cheap").beside(None, model="dear").free


def test_one_model_without_a_price_leaves_the_job_without_a_sum():
    """What it cost is missing in the dollars of all, which must not pass for the whole."""
    ledger = Ledger(PRICE, None)
    assert ledger.is_priced
    beside = ledger.beside(None, model="mine")
    assert (False, False) == (ledger.is_priced, beside.is_priced)


@pytest.mark.parametrize(
    ("llm", "model"),
    [
        ({"provider": "openai", "model": "mine"}, "mine"),
        ({"provider": "anthropic", "model": "claude-next"}, "claude-next"),
        ({"provider": "anthropic", "model": "claude-haiku-5-5"}, None),
        ({"provider": "openai", "model": "mine", "prices": {"mine": Price(input=0.0, output=0.0)}}, None),
        ({"provider": "local", "model": "a-folder"}, None),
        ({}, None),
    ],
)
def test_the_model_whose_price_is_not_known_is_named(llm, model):
    """One in memory is free, and what nobody named has a known price."""
    assert model == without_price(LlmSettings(**llm))
