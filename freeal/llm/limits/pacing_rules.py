"""When the next call may go, from what was permitted, used and refused so far. Pure: `now` (monotonic) is an argument.

What is assumed of servers, all from platform.claude.com/docs/en/api/rate-limits unless said otherwise:

- limits are token buckets that refill all the time, per minute and per model; a burst may be refused where the minute
  as a whole would not be, and so may a sharp rise in use. So calls are spread evenly, a little below the limit, and
  the number under way doubles per round trip from one;
- input counts when a request begins; reads from the prompt cache do not count;
- output counts as it is generated, so what is generated on average is reserved. `max_tokens` counted at the start
  until 2026; to be safe there too, the `max_tokens` of all calls under way stay within one minute's limit;
- where one limit counts input and output together (OpenAI: platform.openai.com/docs/guides/rate-limits; Azure),
  `max_tokens` counts in full when a request begins and is not given back, and reads from the cache count.
"""

from __future__ import annotations

import dataclasses
import math

from freeal.llm.limits.circuit_breaker import Breaker
from freeal.llm.limits.rate_limit_headers import Announced, RateLimits
from freeal.llm.limits.token_bucket import Bucket

HEADROOM = 0.98
"""What part of a limit is used: a server's bucket must recover from requests that arrive in a bunch."""

LEAST_PACE = 0.1
_SLOWER = 0.7
_RECOVERY_PER_SECOND = 0.005
"""After a 429 the rate falls to 0.7 of what it was and is back after a minute (AIMD, as TCP does)."""

_CAREFUL_FROM = 0.75
"""Where no limit is known, half the calls under way; up to three quarters of what was refused soon, then one by one."""

_FIRST_TOKENS_PER_BYTE = 0.5
"""Before anything was counted: English has a quarter, Chinese a third; the first call or two decide."""

_SAFETY = 1.05
_FADING = 0.98


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """What is known of a call before it is made."""

    input_bytes: int
    output_ceiling: int
    """Its `max_tokens`."""


@dataclasses.dataclass(slots=True, eq=False)
class Ticket:
    """A call that may go, and what was taken for it."""

    demand: Demand
    sent_at: float
    input_tokens: float
    output_tokens: float
    is_probe: bool
    settled: bool = False


class _Averages:
    """Tokens of calls of one kind, recent ones weighing most."""

    def __init__(self) -> None:
        self._calls = self._bytes = self._input = self._output = 0.0

    def learn(self, demand: Demand, input_tokens: int, output_tokens: int) -> None:
        self._calls = self._calls * _FADING + 1
        self._bytes = self._bytes * _FADING + demand.input_bytes
        self._input = self._input * _FADING + input_tokens
        self._output = self._output * _FADING + output_tokens

    def tokens_expected(self, demand: Demand) -> tuple[float, float]:
        """(input, output) tokens to reserve."""
        if not self._calls or not self._bytes:
            return demand.input_bytes * _FIRST_TOKENS_PER_BYTE, float(demand.output_ceiling)
        input_tokens = _SAFETY * demand.input_bytes * self._input / self._bytes
        return input_tokens, min(_SAFETY * self._output / self._calls, float(demand.output_ceiling))


class Pacing:
    """The calls of one job: how many side by side, and how fast one after the other."""

    def __init__(self, concurrency: int, *, limits: RateLimits, now: float, breaker: Breaker | None = None) -> None:
        self.breaker = breaker or Breaker()
        self._concurrency = concurrency
        self._fixed = limits
        self._learned = RateLimits()
        self._share = 1.0
        self._pace = 1.0
        self._slowed_at = -math.inf
        self._recovered_at = now
        self._window = 1.0
        self._doubling_below = float(concurrency)
        self._under_way: set[Ticket] = set()
        self._averages: dict[int, _Averages] = {}
        self._requests = Bucket(now, least=1.0)
        self._input = Bucket(now)
        self._output = Bucket(now)
        self._tokens = Bucket(now)
        self._refill_buckets_at_pace(now)

    @property
    def limits(self) -> RateLimits:
        """This job's share of what is permitted per minute."""
        whole = self._fixed.tightest(self._learned)
        kinds = dataclasses.asdict(whole)
        return RateLimits(**{name: None if amount is None else amount * self._share for name, amount in kinds.items()})

    @property
    def calls_permitted(self) -> int:
        """How many calls may be under way at once, now."""
        return max(1, min(int(self._window), round(self._concurrency * self._share)))

    def take_share(self, share: float, now: float) -> None:
        """Use only this part (above 0, at most 1) of all limits. Raises `ValueError`."""
        if not 0.0 < share <= 1.0:
            raise ValueError(f"a share is above 0 and at most 1, not {share}")
        self._share = share
        self._refill_buckets_at_pace(now)

    def pace_by_headers(self, said: Announced, now: float) -> None:
        """Pacing rules that follow from the headers of an answer: the limits, and how little is left where others use
        them too."""
        self._learned = self._learned.updated(said.limits)
        self._refill_buckets_at_pace(now)
        for name, bucket in self._paced_buckets().items():
            left = getattr(said.remaining, name)
            if left is not None and bucket.limited:
                bucket.lower(left * self._share, now)

    def pace_next_call(self, demand: Demand, now: float) -> Ticket | float:
        """The call's ticket, or the seconds after which to ask again: infinite where another call must end first."""
        self._refill_buckets_at_pace(now)
        full = len(self._under_way) >= self.calls_permitted or self._too_much_held(demand)
        if full or self.breaker.holds:
            return math.inf
        average = self._averages.get(demand.output_ceiling, _Averages())
        input_tokens, output_tokens = average.tokens_expected(demand)
        amounts = self._paced_amounts(demand, input_tokens, output_tokens)
        buckets = self._paced_buckets()
        wait_seconds = max(buckets[name].wait_seconds(amount, now) for name, amount in amounts.items())
        if wait_seconds > 0.0:
            return wait_seconds
        for name, amount in amounts.items():
            buckets[name].take(amount, now)
        ticket = Ticket(demand, now, input_tokens, output_tokens, is_probe=self.breaker.let_go())
        self._under_way.add(ticket)
        return ticket

    def pace_after_answer(self, ticket: Ticket, *, input_tokens: int, output_tokens: int, now: float) -> None:
        """A call was answered; `input_tokens` are those that count against the limit."""
        self._averages.setdefault(ticket.demand.output_ceiling, _Averages()).learn(
            ticket.demand, input_tokens, output_tokens
        )
        self._input.take(input_tokens - ticket.input_tokens, now)
        self._output.take(output_tokens - ticket.output_tokens, now)
        self._tokens.take(input_tokens - ticket.input_tokens, now)
        ticket.settled = True
        self.breaker.answered()
        self._window += 1.0 if self._window < self._doubling_below else 1.0 / self._window
        self._window = min(self._window, float(self._concurrency))

    def pace_after_refusal(self, ticket: Ticket, now: float, *, retry_after_seconds: float | None) -> float | None:
        """A 429: go slower. The seconds to stop all calls for: the server's own word, else a time that grows.

        Calls that were under way at the last one tell nothing new.
        """
        if ticket.sent_at < self._slowed_at:
            return retry_after_seconds
        self._slowed_at = now
        self._pace = max(LEAST_PACE, self._pace * _SLOWER)
        self._doubling_below = self._window * _CAREFUL_FROM
        if not any(bucket.limited for bucket in self._paced_buckets().values()):
            self._window = max(1.0, self._window / 2.0)
        for bucket in self._paced_buckets().values():
            bucket.lower(0.0, now)
        self._refill_buckets_at_pace(now)
        if retry_after_seconds is None:
            return self.breaker.open_circuit(now)
        self.breaker.answered()
        return retry_after_seconds

    def release(self, ticket: Ticket) -> None:
        """A call is over, whatever came of it. What an unanswered one reserved stays used: it may have been counted."""
        self._under_way.discard(ticket)
        if ticket.is_probe and not ticket.settled:
            self.breaker.give_up_probe()

    def _too_much_held(self, demand: Demand) -> bool:
        limit = self.limits.output_tokens
        held = sum(ticket.demand.output_ceiling for ticket in self._under_way)
        return limit is not None and bool(self._under_way) and held + demand.output_ceiling > limit

    def _paced_buckets(self) -> dict[str, Bucket]:
        """The token bucket of each limit that the pacing keeps to."""
        return {
            "requests": self._requests,
            "input_tokens": self._input,
            "output_tokens": self._output,
            "tokens": self._tokens,
        }

    def _paced_amounts(self, demand: Demand, input_tokens: float, output_tokens: float) -> dict[str, float]:
        """What the pacing takes from the bucket of each limit for a call."""
        return {
            "requests": 1.0,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "tokens": input_tokens + demand.output_ceiling,
        }

    def _refill_buckets_at_pace(self, now: float) -> None:
        self._pace = min(1.0, self._pace + max(0.0, now - self._recovered_at) * _RECOVERY_PER_SECOND)
        self._recovered_at = now
        limits = self.limits
        for name, bucket in self._paced_buckets().items():
            per_minute = getattr(limits, name)
            bucket.set_fill_rate(None if per_minute is None else HEADROOM * self._pace * per_minute / 60.0, now)
