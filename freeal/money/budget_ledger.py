"""The ledger of a job's spend and the cap that holds.

The ledger reserves the most a call can cost before the call is made and settles with what it did cost, so spend never
passes the cap, however many calls are under way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from freeal.errors import BudgetReachedError, ConfigError, Where
from freeal.money.prices import cost_usd
from freeal.settings import Price
from freeal.types import Bill, Usage


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Money set aside for one call, or one batch, until it is settled or released."""

    usd: float
    share: float = 1.0
    """What part of the live price it is settled at."""


@dataclasses.dataclass(slots=True)
class _Account:
    """What all language models of a job spend, and what is set aside for calls under way, against one cap."""

    budget_usd: float | None
    spent: Bill
    is_priced: bool = True
    open: set[Reservation] = dataclasses.field(default_factory=set)


class Ledger:
    """Spend of one job against its cap.

    `spent` is what earlier runs of the same job came to; the cap covers them too. Without a price nothing can be
    counted in dollars, so a cap then is a `ConfigError`; `model` names the missing key in it. Calls are booked at the
    price of one model; of several in one job each has a ledger of its own (`beside`), and all figures and the cap are
    those of the job.
    """

    def __init__(
        self, price: Price | None, budget_usd: float | None, *, model: str = "", spent: Bill | None = None
    ) -> None:
        self._price = price
        self._account = _Account(budget_usd, spent or Bill())
        self._check_price(model)

    def beside(self, price: Price | None, *, model: str = "") -> Ledger:
        """A ledger of the same job, with the same cap, for calls of another model."""
        other = Ledger(price, None)
        other._account = self._account
        other._check_price(model)
        return other

    def _check_price(self, model: str) -> None:
        self._account.is_priced = self._account.is_priced and self._price is not None
        if self._price is None and self._account.budget_usd is not None:
            raise ConfigError(
                f"the price of {model or 'this model'} is not known, so budget_usd cannot be kept",
                where=Where(key=f"llm.prices.{model}" if model else "llm.prices"),
                hint="add its input and output price in US dollars per million tokens, or remove budget_usd",
            )

    @property
    def usage(self) -> Usage:
        """All settled calls, those of earlier runs among them."""
        return self._account.spent.usage

    @property
    def usd(self) -> float:
        """US dollars of all settled calls; 0 where the price is unknown."""
        return self._account.spent.usd

    @property
    def unconfirmed_usd(self) -> float:
        """The most that lost replies may have cost: counts against the cap, but is in no other figure."""
        return self._account.spent.unconfirmed_usd

    @property
    def reserved_usd(self) -> float:
        """US dollars set aside for calls under way."""
        return sum(reservation.usd for reservation in self._account.open)

    @property
    def is_priced(self) -> bool:
        """Whether the prices of all language models of the job are known: if not, `usd` lacks what some calls cost."""
        return self._account.is_priced

    @property
    def free(self) -> bool:
        """Whether calls are known to cost nothing."""
        return self._price is not None and not any((self._price.input, self._price.output, self._price.cached_input))

    @property
    def capped(self) -> bool:
        """Whether there is a cap."""
        return self._account.budget_usd is not None

    def reserve(self, *most: Usage, share: float = 1.0) -> Reservation:
        """Set aside the most these calls can cost, at `share` of the live price; each is priced by itself.

        Raises `BudgetReachedError` when spend could then pass the cap.
        """
        most_usd = self._cost(most, share)
        reservation = Reservation(most_usd, share)
        if self._account.budget_usd is not None and most_usd > 0.0:
            left = self._account.budget_usd - self.usd - self.unconfirmed_usd - self.reserved_usd
            if most_usd > left:
                lost = f" and perhaps {self.unconfirmed_usd:.4f} for lost answers" if self.unconfirmed_usd else ""
                raise BudgetReachedError(
                    f"{self.usd:.4f} of {self._account.budget_usd:.4f} USD are spent{lost}, "
                    f"another call could cost {most_usd:.4f}",
                    where=Where(key="budget_usd"),
                    hint="raise budget_usd and run again: answers already paid for are kept",
                )
        self._account.open.add(reservation)
        return reservation

    def hold(self, usd: float, *, share: float = 1.0) -> Reservation:
        """Set aside what is under way already, whatever the cap says by now: it holds for all that comes after."""
        reservation = Reservation(usd, share)
        self._account.open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, *used: Usage) -> Bill:
        """Replace a reservation by what its calls used; what that came to, to be stored with their answers."""
        self._account.open.remove(reservation)
        return self.charge(*used, share=reservation.share)

    def charge(self, *used: Usage, share: float = 1.0) -> Bill:
        """Count what calls used where the reservation stays, or there is none: results of a batch come in parts."""
        bill = Bill(self._cost(used, share), sum(used, Usage()))
        self._account.spent = self._account.spent + bill
        return bill

    def affordable(self, calls: Iterable[Usage], *, share: float = 1.0) -> int:
        """How many of these calls, from the first on, could be reserved together."""
        if self._account.budget_usd is None:
            return sum(1 for _ in calls)
        left_usd = self._account.budget_usd - self.usd - self.unconfirmed_usd - self.reserved_usd
        count = 0
        for most in calls:
            left_usd -= self._cost([most], share)
            if left_usd < 0.0:
                break
            count += 1
        return count

    def forfeit(self, reservation: Reservation) -> Bill:
        """The call may have been billed, but its reply was lost: count all of the reservation as unconfirmed."""
        self._account.open.remove(reservation)
        bill = Bill(unconfirmed_usd=reservation.usd)
        self._account.spent = self._account.spent + bill
        return bill

    def release(self, reservation: Reservation) -> None:
        """Drop the reservation of a call that was not answered."""
        self._account.open.remove(reservation)

    def _cost(self, calls: Iterable[Usage], share: float) -> float:
        return 0.0 if self._price is None else sum(cost_usd(usage, self._price, share=share) for usage in calls)
