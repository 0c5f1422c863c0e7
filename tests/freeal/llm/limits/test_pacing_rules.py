"""freeal/llm/limits/pacing_rules.py in simulated time: as fast as true token buckets permit, and never faster."""

from __future__ import annotations

import dataclasses
import heapq
import math
import random

import pytest

from freeal.llm.limits.pacing_rules import Demand, Pacing, Ticket
from freeal.llm.limits.rate_limit_headers import RateLimits, limits_in_headers
from freeal.testing.server.enforced_rate_limits import Limits, Meter

CEILING = 1_024
EPOCH = 1_800_000_000.0


@dataclasses.dataclass
class Simulation:
    """Calls of one job against a server, as a queue of events; nothing waits and no two runs differ."""

    limits: Limits
    concurrency: int = 64
    rows: int = 2_000
    latency_seconds: float = 0.2
    jitter_seconds: float = 0.02
    input_tokens: int = 300
    output_tokens: int = 15
    settings: RateLimits = dataclasses.field(default_factory=RateLimits)
    share: float = 1.0

    def __post_init__(self):
        self.now = 0.0
        self.rng = random.Random(7)
        self.meter = Meter(self.limits, clock=lambda: self.now, wall=lambda: EPOCH + self.now)
        self.pacing = Pacing(self.concurrency, limits=self.settings, now=0.0)
        self.pacing.take_share(self.share, 0.0)
        self.refused = 0
        self.begun = []
        self.used = []
        self._events = []
        self._number = 0

    def at(self, seconds, action, *arguments):
        self._number += 1
        heapq.heappush(self._events, (seconds, self._number, action, arguments))

    def run(self):
        self.left = self.rows
        self.wake_at = math.inf
        self.ask()
        while self._events:
            self.now, _, action, arguments = heapq.heappop(self._events)
            action(*arguments)
        return self

    def ask(self):
        """Send whatever may go, then come back when the next one may."""
        while self.left:
            size = self.rng.randint(self.input_tokens // 2, self.input_tokens * 3 // 2)
            found = self.pacing.pace_next_call(Demand(4 * size, CEILING), self.now)
            if not isinstance(found, Ticket):
                if self.now + found < self.wake_at:
                    self.wake_at = self.now + found
                    self.at(self.wake_at, self.woken)
                return
            self.left -= 1
            self.begun.append(self.now)
            self.at(self.now + self.rng.uniform(0.0, self.jitter_seconds), self.arrive, found, size)

    def woken(self):
        if self.now == self.wake_at:  # else an earlier wake-up has taken its place
            self.wake_at = math.inf
            self.ask()

    def arrive(self, ticket, size):
        if self.meter.admit(size) is not None:
            self.refused += 1
            self.left += 1
            self.pacing.pace_after_refusal(ticket, self.now, retry_after_seconds=1.0)
            self.pacing.release(ticket)
            return
        self.meter.under_way += 1
        seconds = self.latency_seconds + self.rng.uniform(0.0, self.jitter_seconds)
        self.at(self.now + seconds, self.leave, ticket, size)

    def leave(self, ticket, size):
        self.meter.under_way -= 1
        output = self.rng.randint(self.output_tokens - 5, self.output_tokens + 5)
        self.meter.use_output(output)
        self.used.append((self.now, size, output))
        self.pacing.pace_by_headers(limits_in_headers(self.meter.anthropic_headers(), EPOCH + self.now), self.now)
        self.pacing.pace_after_answer(ticket, input_tokens=size, output_tokens=output, now=self.now)
        self.pacing.release(ticket)
        self.ask()

    def per_minute(self, measure, *, after=5.0):
        """The mean rate of what `measure(input, output)` counts, once the ramp is over."""
        counted = [(when, measure(size, output)) for when, size, output in self.used if when >= after]
        return 60.0 * sum(amount for _, amount in counted) / (counted[-1][0] - after)


def requests(size, output):
    return 1


def inputs(size, output):
    return size


def outputs(size, output):
    return output


@pytest.mark.parametrize("burst_seconds", [60.0, 1.0])
@pytest.mark.parametrize(
    ("limits", "measure", "permitted"),
    [
        ({"requests_per_minute": 3_000}, requests, 3_000),
        ({"input_tokens_per_minute": 600_000}, inputs, 600_000),
        ({"output_tokens_per_minute": 30_000}, outputs, 30_000),
        ({"requests_per_minute": 3_000, "input_tokens_per_minute": 300_000}, inputs, 300_000),
    ],
)
def test_a_limit_is_filled_and_never_passed(limits, measure, permitted, burst_seconds):
    """At least 95 % of what is permitted and not one refusal, learned from headers alone, however small the burst."""
    done = Simulation(Limits(**limits, burst_seconds=burst_seconds)).run()
    assert 0 == done.refused
    assert 2_000 == len(done.used)
    assert 0.95 * permitted <= done.per_minute(measure) <= permitted


def test_where_nothing_else_limits_concurrency_is_filled():
    """As many calls under way as are allowed, never more: 95 % of concurrency over latency."""
    done = Simulation(Limits(concurrency=20), concurrency=20, jitter_seconds=0.0).run()
    assert 0 == done.refused
    assert 20 == done.pacing.calls_permitted
    assert 0.95 * 20 / 0.2 * 60 <= done.per_minute(requests)


def test_limits_of_the_settings_are_kept_where_no_header_says_any():
    """A server that announces nothing is called as the user said."""
    done = Simulation(Limits(), settings=RateLimits(requests=1_200), rows=600).run()
    assert 0.95 * 1_200 <= done.per_minute(requests) <= 1_200


def test_the_smaller_of_two_limits_holds():
    """A setting lowers what the server permits; it cannot raise it."""
    server = Limits(requests_per_minute=1_200)
    lower = Simulation(server, settings=RateLimits(requests=600), rows=400).run()
    assert 0.95 * 600 <= lower.per_minute(requests) <= 600
    higher = Simulation(server, settings=RateLimits(requests=60_000), rows=400).run()
    assert 0 == higher.refused


def test_the_first_calls_are_few():
    """One call under way until the first answer, then twice as many per round trip: no sharp rise in use."""
    done = Simulation(Limits(), rows=40, jitter_seconds=0.0).run()
    assert [0.0, 0.2, 0.2, 0.4, 0.4, 0.4, 0.4] == [round(when, 6) for when in done.begun[:7]]


def test_a_share_is_obeyed_at_once():
    """Half the limits from the moment it is told, all of them again when the other job is over."""
    simulation = Simulation(Limits(requests_per_minute=1_200), rows=800)
    simulation.at(10.0, lambda: simulation.pacing.take_share(0.5, simulation.now))
    simulation.at(30.0, lambda: simulation.pacing.take_share(1.0, simulation.now))
    simulation.run()
    between = sum(12.0 <= when < 30.0 for when in simulation.begun)
    assert 0.95 * 600 / 60 * 18 <= between <= 600 / 60 * 18 + 1
    assert 0 == simulation.refused


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, math.nan])
def test_a_share_that_is_none_is_refused(share):
    """Nothing, or more than all, would stop or overrun the limits."""
    with pytest.raises(ValueError, match="share"):
        Pacing(1, limits=RateLimits(), now=0.0).take_share(share, 0.0)


def test_two_jobs_fill_one_limit_together():
    """Each with half of it: no refusal, and nothing left lying about."""
    one = Simulation(Limits(requests_per_minute=3_000), share=0.5, rows=1_000).run()
    assert 0.95 * 1_500 <= one.per_minute(requests) <= 1_500


def test_a_429_slows_down_and_recovers():
    """Where others use the account too the rate falls by 30 % once, not once per call under way, and comes back."""
    pacing = Pacing(8, limits=RateLimits(requests=6_000), now=0.0)
    tickets = [pacing.pace_next_call(Demand(100, CEILING), 0.0)]
    pacing.pace_after_answer(tickets[0], input_tokens=25, output_tokens=15, now=0.2)
    pacing.release(tickets[0])
    under_way = [pacing.pace_next_call(Demand(100, CEILING), 0.2) for _ in range(2)]
    for ticket in under_way:
        pacing.pace_after_refusal(ticket, 1.0, retry_after_seconds=0.0)
        pacing.release(ticket)
    assert _spacing(pacing, 1.0) == pytest.approx(0.01 / 0.98 / 0.7, rel=0.02)
    assert _spacing(pacing, 120.0) == pytest.approx(0.01 / 0.98, rel=0.01)


def test_a_429_halves_the_calls_under_way_where_no_limit_is_known():
    """Soon back at three quarters of what was refused, then carefully beyond."""
    pacing, windows = Pacing(16, limits=RateLimits(), now=0.0), []
    for _ in range(20):
        _one_call(pacing, 0.0)
    ticket = pacing.pace_next_call(Demand(100, CEILING), 1.0)
    pacing.pace_after_refusal(ticket, 1.0, retry_after_seconds=1.0)
    pacing.release(ticket)
    for _ in range(20):
        windows.append(pacing.calls_permitted)
        _one_call(pacing, 2.0)
    assert [8, 9, 10, 11, 12, 12] == windows[:6]
    assert 13 == windows[-1]


def _spacing(pacing, now):
    """Seconds between two calls when one follows the other as soon as it may."""
    for _ in range(60):  # what was saved up goes first
        now += _one_call(pacing, now)
    return _one_call(pacing, now)


def _one_call(pacing, now):
    waited = 0.0
    while not isinstance(found := pacing.pace_next_call(Demand(100, CEILING), now + waited), Ticket):
        waited += found
    pacing.pace_after_answer(found, input_tokens=25, output_tokens=15, now=now + waited)
    pacing.release(found)
    return waited


def test_max_tokens_of_calls_under_way_stay_within_a_minutes_limit():
    """A server that reserves `max_tokens` at the start refuses nothing either."""
    pacing = Pacing(64, limits=RateLimits(output_tokens=8_000), now=0.0)
    now = 0.0
    for _ in range(200):
        now += _one_call(pacing, now)
    under_way = 0
    while isinstance(found := pacing.pace_next_call(Demand(100, CEILING), now), Ticket) or found < math.inf:
        under_way += isinstance(found, Ticket)
        now += 0.0 if isinstance(found, Ticket) else found
    assert 7 == under_way
