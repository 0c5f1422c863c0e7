"""What tokens cost: the known prices, and a call or its usage in US dollars."""

from __future__ import annotations

import re
from collections.abc import Mapping

from freeal.settings import LlmSettings, Price
from freeal.types import Usage

CACHE_WRITE_FACTOR = 1.25
"""Writing five-minute prompt cache costs a quarter more than plain input (Anthropic's pricing page)."""

CACHE_READ_SHARE = 0.1
"""Reading it costs a tenth at Anthropic, where a price does not say otherwise. Other providers ask a half, a quarter or
a tenth, model by model: what is not known there is booked at the full price of input."""

BATCH_SHARE = 0.5
"""What a token in a batch costs, as a share of its live price (Anthropic and OpenAI alike)."""

FREE = Price(input=0.0, output=0.0, cached_input=0.0)
"""A model in this machine's memory."""

PRICES_AS_OF = "2026-10-07"
"""The day the known prices were taken from the provider's page."""

# platform.claude.com/docs/en/models/haiku-5-5/overview and the models table there. A price in the settings goes first.
KNOWN_PRICES: Mapping[str, Price] = {
    "claude-haiku-5-5": Price(
        input=0.10, output=0.50, cached_input=0.01, long_prompt_tokens=100_000, long_prompt_factor=5.0
    ),
    "claude-sonnet-5-5": Price(input=2.0, output=10.0, cached_input=0.10),
    "claude-opus-5-5": Price(input=4.0, output=20.0, cached_input=0.20),
    "claude-haiku-4-5": Price(input=1.0, output=5.0, cached_input=0.10),
}


def price_of(provider: str, model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model: from the settings, else free when local, else the known list, else None."""
    if model in prices:
        price = prices[model]
        if provider == "anthropic" and price.cached_input is None:
            return price.model_copy(update={"cached_input": CACHE_READ_SHARE * price.input})
        return price
    if provider == "local":
        return FREE
    undated = re.sub(r"-\d{8}$", "", model)
    return KNOWN_PRICES.get(undated) if provider == "anthropic" else None


def without_price(llm: LlmSettings) -> str | None:
    """The model over a network that `llm` names and whose price is not known, so that no sum counts what it costs."""
    is_asked_over_a_network = llm.provider in ("anthropic", "openai")
    if llm.model and is_asked_over_a_network and price_of(llm.provider, llm.model, llm.prices) is None:
        return llm.model
    return None


def cost_usd(usage: Usage, price: Price, *, share: float = 1.0) -> float:
    """US dollars for `usage`: plain, cache-written and cache-read input and output each at their own price.

    `share` is what part of the live price is asked: 1, or `BATCH_SHARE` for what ran in a batch. A single call with
    more input than the price's `long_prompt_tokens` costs `long_prompt_factor` times as much: calls are priced one by
    one where there is such a limit, see `Ledger`.
    """
    cached_price = price.input if price.cached_input is None else price.cached_input
    if usage.calls <= 1 and price.long_prompt_tokens is not None and usage.input_tokens > price.long_prompt_tokens:
        share *= price.long_prompt_factor
    plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
    input_usd = (plain + CACHE_WRITE_FACTOR * usage.cache_write_tokens) * price.input
    live_usd = (input_usd + usage.cached_tokens * cached_price + usage.output_tokens * price.output) / 1_000_000
    return share * live_usd
