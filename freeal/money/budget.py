"""What calls cost: prices, an estimate before, a ledger during, a cap that holds.

The ledger reserves the most a call can cost before the call is made and settles with what it did cost, so spend never
passes the cap, however many calls are under way.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from freeal.errors import BudgetReachedError, ConfigError, Where
from freeal.settings import Price
from freeal.types import Bill, Prompt, Usage

LABEL_OUTPUT_TOKENS = 1_024
"""Most tokens a label answer may take: the JSON needs 40, the rest is for a model that thinks first."""

WRITING_OUTPUT_TOKENS = 8_192
"""Most tokens an answer with written demonstrations may take."""

CACHE_WRITE_FACTOR = 1.25
"""Writing five-minute prompt cache costs a quarter more than plain input (Anthropic's pricing page)."""

CACHE_READ_SHARE = 0.1
"""Reading it costs a tenth, where a price list does not say otherwise."""

BATCH_SHARE = 0.5
"""What a token in a batch costs, as a share of its live price (Anthropic and OpenAI alike)."""

FREE = Price(input=0.0, output=0.0, cached_input=0.0)
"""A model in this machine's memory."""

PRICES_AS_OF = "2026-10-07"
"""The day the known prices were taken from the provider's page."""

# platform.claude.com/docs/en/models/haiku-5-5/overview and the models table there. Haiku 5.5 charges five times this
# for a prompt of more than 100,000 tokens; freeal.annotate cuts texts far below that. A price in the settings goes
# first.
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


def cost_usd(usage: Usage, price: Price, *, share: float = 1.0) -> float:
    """US dollars for `usage`: plain, cache-written and cache-read input and output each at their own price.

    `share` is what part of the live price is asked: 1, or `BATCH_SHARE` for what ran in a batch.
    """
    cached_price = price.input * CACHE_READ_SHARE if price.cached_input is None else price.cached_input
    plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
    input_usd = (plain + CACHE_WRITE_FACTOR * usage.cache_write_tokens) * price.input
    live_usd = (input_usd + usage.cached_tokens * cached_price + usage.output_tokens * price.output) / 1_000_000
    return share * live_usd


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
    """Money set aside for one call, or one batch, until it is settled or released."""

    usd: float
    share: float = 1.0
    """What part of the live price it is settled at."""


class Ledger:
    """Spend of one job against its cap.

    `spent` is what earlier runs of the same job came to; the cap covers them too. Without a price nothing can be
    counted in dollars, so a cap then is a `ConfigError`; `model` names the missing key in it.
    """

    def __init__(
        self, price: Price | None, budget_usd: float | None, *, model: str = "", spent: Bill | None = None
    ) -> None:
        if price is None and budget_usd is not None:
            raise ConfigError(
                f"the price of {model or 'this model'} is not known, so budget_usd cannot be kept",
                where=Where(key=f"llm.prices.{model}" if model else "llm.prices"),
                hint="add its input and output price in US dollars per million tokens, or remove budget_usd",
            )
        self._price = price
        self._budget_usd = budget_usd
        self._spent = spent or Bill()
        self._open: set[Reservation] = set()

    @property
    def usage(self) -> Usage:
        """All settled calls, those of earlier runs among them."""
        return self._spent.usage

    @property
    def usd(self) -> float:
        """US dollars of all settled calls; 0 where the price is unknown."""
        return self._spent.usd

    @property
    def unconfirmed_usd(self) -> float:
        """The most that lost replies may have cost: counts against the cap, but is in no other figure."""
        return self._spent.unconfirmed_usd

    @property
    def reserved_usd(self) -> float:
        """US dollars set aside for calls under way."""
        return sum(reservation.usd for reservation in self._open)

    @property
    def free(self) -> bool:
        """Whether calls are known to cost nothing."""
        return self._price is not None and not any((self._price.input, self._price.output, self._price.cached_input))

    def reserve(self, most: Usage, *, share: float = 1.0) -> Reservation:
        """Set aside the most a call can cost, at `share` of the live price.

        Raises `BudgetReachedError` when spend could then pass the cap.
        """
        most_usd = self._cost(most, share)
        reservation = Reservation(most_usd, share)
        if self._budget_usd is not None and most_usd > 0.0:
            left = self._budget_usd - self.usd - self.unconfirmed_usd - self.reserved_usd
            if most_usd > left:
                lost = f" and perhaps {self.unconfirmed_usd:.4f} for lost answers" if self.unconfirmed_usd else ""
                raise BudgetReachedError(
                    f"{self.usd:.4f} of {self._budget_usd:.4f} USD are spent{lost}, "
                    f"another call could cost {most_usd:.4f}",
                    where=Where(key="budget_usd"),
                    hint="raise budget_usd and run again: answers already paid for are kept",
                )
        self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, used: Usage) -> Bill:
        """Replace a reservation by what the call used; what that came to, to be stored with its answer."""
        self._open.remove(reservation)
        return self.charge(used, share=reservation.share)

    def charge(self, used: Usage, *, share: float = 1.0) -> Bill:
        """Count what was used where the reservation stays, or there is none: results of a batch come in parts."""
        bill = Bill(self._cost(used, share), used)
        self._spent = self._spent + bill
        return bill

    def affordable(self, calls: Iterable[Usage], *, share: float = 1.0) -> int:
        """How many of these calls, from the first on, could be reserved together."""
        if self._budget_usd is None:
            return sum(1 for _ in calls)
        left_usd = self._budget_usd - self.usd - self.unconfirmed_usd - self.reserved_usd
        count = 0
        for most in calls:
            left_usd -= self._cost(most, share)
            if left_usd < 0.0:
                break
            count += 1
        return count

    def forfeit(self, reservation: Reservation) -> Bill:
        """The call may have been billed, but its reply was lost: count all of the reservation as unconfirmed."""
        self._open.remove(reservation)
        bill = Bill(unconfirmed_usd=reservation.usd)
        self._spent = self._spent + bill
        return bill

    def release(self, reservation: Reservation) -> None:
        """Drop the reservation of a call that was not answered."""
        self._open.remove(reservation)

    def _cost(self, usage: Usage, share: float) -> float:
        return 0.0 if self._price is None else cost_usd(usage, self._price, share=share)
