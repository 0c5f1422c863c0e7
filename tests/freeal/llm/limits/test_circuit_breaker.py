"""The circuit breaker of freeal/llm/limits/circuit_breaker.py, alone and in the limiter's hands."""

from __future__ import annotations

import math

import pytest

from freeal.llm.limits.circuit_breaker import Breaker
from freeal.llm.limits.pacing_rules import Demand, Pacing, Ticket
from freeal.llm.limits.rate_limit_headers import RateLimits
from freeal.llm.limits.token_bucket import Bucket

DEMAND = Demand(100, 1_024)


def failures_in_a_row(breaker, count, *, now):
    """What each of some ordinary calls, sent just before, makes of it."""
    return [breaker.count_failure(sent_at=now - 0.1, is_probe=False, now=now) for _ in range(count)]


def test_several_failures_in_a_row_stop_all_calls_for_longer_each_time():
    """Three to open it; then one, two, four seconds and so on, a minute at most, as long as the probe fails too."""
    breaker = Breaker()
    assert [None, None, 1.0] == failures_in_a_row(breaker, 3, now=0.1)
    stops = []
    for number in range(1, 10):
        assert breaker.let_go()
        stops.append(breaker.count_failure(sent_at=number, is_probe=True, now=number + 0.1))
    assert [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0] == stops


def test_calls_that_were_under_way_when_it_opened_tell_nothing_new():
    """Sixty-four broken connections at once are one trouble."""
    breaker = Breaker()
    assert 1 == sum(stop is not None for stop in failures_in_a_row(breaker, 64, now=0.1))


def test_an_answer_ends_the_row():
    """Scattered failures never stop anybody."""
    breaker = Breaker()
    for number in range(50):
        assert [None, None] == failures_in_a_row(breaker, 2, now=float(number))
        breaker.answered()


def test_silence_is_counted_from_the_first_failure():
    """Until anything is answered; then there is none."""
    breaker = Breaker()
    assert 0.0 == breaker.silent_seconds(5.0)
    for now in (5.0, 7.0, 9.0):
        breaker.count_failure(sent_at=now, is_probe=False, now=now)
    assert 4.0 == breaker.silent_seconds(9.0)
    breaker.answered()
    assert 0.0 == breaker.silent_seconds(9.0)


def test_one_probe_goes_ahead_of_the_others():
    """Half-open: a single call, until it is answered; one that was cancelled leaves its place to the next."""
    pacing = Pacing(8, limits=RateLimits(), now=0.0)
    for _ in range(8):
        ticket = pacing.pace_next_call(DEMAND, 0.0)
        pacing.pace_after_answer(ticket, input_tokens=1, output_tokens=1, now=0.0)
        pacing.release(ticket)
    assert 8 == pacing.calls_permitted
    pacing.breaker.open_circuit(1.0)
    for answered in (False, True):
        probe = pacing.pace_next_call(DEMAND, 2.0)
        assert probe.is_probe
        assert math.inf == pacing.pace_next_call(DEMAND, 2.0)
        if answered:
            pacing.pace_after_answer(probe, input_tokens=1, output_tokens=1, now=2.0)
        pacing.release(probe)
    together = [pacing.pace_next_call(DEMAND, 3.0) for _ in range(9)]
    assert 8 == sum(isinstance(ticket, Ticket) and not ticket.is_probe for ticket in together)


def test_a_429_that_names_no_time_stops_everybody_for_a_time_that_grows():
    """Servers without `retry-after` are left alone for one second, then two."""
    pacing = Pacing(8, limits=RateLimits(), now=0.0)
    stops = []
    for now in (0.0, 2.0, 5.0):
        ticket = pacing.pace_next_call(DEMAND, now)
        stops.append(pacing.pace_after_refusal(ticket, now + 0.1, retry_after_seconds=None))
        pacing.release(ticket)
    assert [1.0, 2.0, 4.0] == stops


def test_a_bucket_saves_no_more_than_half_a_second():
    """After an hour's rest the burst is as small as after a second's."""
    bucket = Bucket(0.0)
    bucket.set_fill_rate(100.0, 0.0)
    bucket.take(50.0, 3_600.0)
    assert 0.01 == pytest.approx(bucket.wait_seconds(1.0, 3_600.0))


def test_a_bucket_lends_what_is_larger_than_itself():
    """A call of more tokens than half a second brings goes when the bucket is full, and is paid off by waiting."""
    bucket = Bucket(0.0)
    bucket.set_fill_rate(100.0, 0.0)
    assert 0.0 == bucket.wait_seconds(500.0, 0.0)
    bucket.take(500.0, 0.0)
    assert 5.0 == pytest.approx(bucket.wait_seconds(500.0, 0.0))


def test_a_bucket_without_a_rate_holds_nobody_up():
    """Where nothing is known nothing is waited for."""
    assert 0.0 == Bucket(0.0).wait_seconds(1e9, 0.0)
