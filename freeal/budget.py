"""What calls cost: prices, an estimate before, a ledger during, a cap that holds.

The ledger reserves the most a call can cost before the call is made and settles with what it did cost, so spend never
passes the cap, however many calls are under way.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from freeal.errors import BudgetReachedError, ConfigError, Where
from freeal.settings import Price
from freeal.types import Prompt, Usage

LABEL_OUTPUT_TOKENS = 1_024
"""Most tokens a label answer may take: the JSON needs 40, the rest is for a model that thinks first."""

WRITING_OUTPUT_TOKENS = 8_192
"""Most tokens an answer with written demonstrations may take."""

CACHE_WRITE_FACTOR = 1.25
"""Writing five-minute prompt cache costs a quarter more than plain input (Anthropic's pricing page)."""

CACHE_READ_SHARE = 0.1
"""Reading it costs a tenth, where a price list does not say otherwise."""

FREE = Price(input=0.0, output=0.0, cached_input=0.0)
"""A model in this machine's memory."""

# platform.claude.com/docs/en/models/haiku-5-5/overview and the models table there, as of 2026-10-07. Haiku 5.5 charges
# five times this for a prompt of more than 100,000 tokens; freeal.annotate cuts texts far below that.
# A price in the settings goes first.
KNOWN_PRICES: Mapping[str, Price] = {
    "claude-haiku-5-5": Price(input=0.10, output=0.50, cached_input=0.01),
    "claude-sonnet-5-5": Price(input=2.0, output=10.0, cached_input=0.10),
    "claude-opus-5-5": Price(input=4.0, output=20.0, cached_input=0.20),
    "claude-haiku-4-5": Price(input=1.0, output=5.0, cached_input=0.10),
}

_FRAME_TOKENS = 600
"""Room for what a provider adds around a prompt: roles, the schema and its instructions."""


def price_of(provider: str, model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model: from the settings, else free when local, else the known list, else None."""
    if model in prices:
        return prices[model]
    if provider == "local":
        return FREE
    undated = re.sub(r"-\d{8}$", "", model)
    return KNOWN_PRICES.get(undated) if provider == "anthropic" else None


def cost_usd(usage: Usage, price: Price) -> float:
    """US dollars for `usage`: plain, cache-written and cache-read input and output each at their own price."""
    cached_price = price.input * CACHE_READ_SHARE if price.cached_input is None else price.cached_input
    plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
    input_usd = (plain + CACHE_WRITE_FACTOR * usage.cache_write_tokens) * price.input
    return (input_usd + usage.cached_tokens * cached_price + usage.output_tokens * price.output) / 1_000_000


def output_ceiling(prompt: Prompt) -> int:
    """Most output tokens a network model is allowed for this prompt (its `max_tokens`)."""
    return LABEL_OUTPUT_TOKENS if prompt.labels else WRITING_OUTPUT_TOKENS


def ceiling(prompt: Prompt) -> Usage:
    """The most one call can use: no token is shorter than a byte, and all input may have to be written to the cache."""
    parts = (prompt.system, prompt.shared, prompt.specific, *prompt.labels)
    input_tokens = _FRAME_TOKENS + sum(len(part.encode("utf-8", "replace")) for part in parts)
    return Usage(
        calls=1, input_tokens=input_tokens, cache_write_tokens=input_tokens, output_tokens=output_ceiling(prompt)
    )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Money set aside for one call until it is settled or released."""

    usd: float


class Ledger:
    """Spend of one job against its cap.

    `spent` is what an earlier run of the same job already used. Without a price nothing can be counted in dollars, so a
    cap then is a `ConfigError`; `model` names the missing key in it.
    """

    def __init__(
        self, price: Price | None, budget_usd: float | None, *, model: str = "", spent: Usage | None = None
    ) -> None:
        if price is None and budget_usd is not None:
            raise ConfigError(
                f"the price of {model or 'this model'} is not known, so budget_usd cannot be kept",
                where=Where(key=f"llm.prices.{model}" if model else "llm.prices"),
                hint="add its input and output price in US dollars per million tokens, or remove budget_usd",
            )
        self._price = price
        self._budget_usd = budget_usd
        self._usage = spent or Usage()
        self._open: set[Reservation] = set()

    @property
    def usage(self) -> Usage:
        """All settled calls."""
        return self._usage

    @property
    def usd(self) -> float:
        """US dollars of all settled calls; 0 where the price is unknown."""
        return self._cost(self._usage)

    @property
    def reserved_usd(self) -> float:
        """US dollars set aside for calls under way."""
        return sum(reservation.usd for reservation in self._open)

    @property
    def free(self) -> bool:
        """Whether calls are known to cost nothing."""
        return self._price is not None and not any((self._price.input, self._price.output, self._price.cached_input))

    def reserve(self, most: Usage) -> Reservation:
        """Set aside the most a call can cost. Raises `BudgetReachedError` when spend could then pass the cap."""
        most_usd = self._cost(most)
        reservation = Reservation(most_usd)
        if self._budget_usd is not None and most_usd > 0.0:
            left = self._budget_usd - self.usd - self.reserved_usd
            if most_usd > left:
                raise BudgetReachedError(
                    f"{self.usd:.4f} of {self._budget_usd:.4f} USD are spent, another call could cost {most_usd:.4f}",
                    where=Where(key="budget_usd"),
                    hint="raise budget_usd and run again: answers already paid for are kept",
                )
        self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, used: Usage) -> None:
        """Replace a reservation by what the call used."""
        self._open.remove(reservation)
        self._usage = self._usage + used

    def release(self, reservation: Reservation) -> None:
        """Drop the reservation of a call that was not answered."""
        self._open.remove(reservation)

    def _cost(self, usage: Usage) -> float:
        return 0.0 if self._price is None else cost_usd(usage, self._price)
