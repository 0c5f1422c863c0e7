"""freeal/llm/limits/retry.py."""

from __future__ import annotations

import random

import anyio
import pytest

from freeal.errors import RowRejectedError, TransientError
from freeal.llm.limits.pause_gate import PauseGate
from freeal.llm.limits.retry import Retry

pytestmark = pytest.mark.anyio


def script(*outcomes):
    """An attempt that raises or returns one outcome after the other."""
    remaining = list(outcomes)

    async def attempt():
        outcome = remaining.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return attempt


def loop(time, max_attempts=4, **options):
    gate = PauseGate(clock=lambda: time.now, sleep=time.sleep)
    return Retry(max_attempts, gate=gate, sleep=time.sleep, rng=random.Random(1), **options)


async def test_a_transient_failure_is_tried_again(time):
    """The result of the first successful attempt is returned."""
    assert "done" == await loop(time).call(script(TransientError("a"), TransientError("b"), "done"))
    assert 2 == len(time.slept)


async def test_the_last_error_is_raised_after_max_attempts(time):
    """After max_attempts the last TransientError comes out, without a wait after it."""
    with pytest.raises(TransientError, match="third"):
        await loop(time, 3).call(script(TransientError("first"), TransientError("second"), TransientError("third")))
    assert 2 == len(time.slept)


async def test_only_transient_errors_are_tried_again(time):
    """A rejected request is not sent twice."""
    attempt = script(RowRejectedError("no"), "never")
    with pytest.raises(RowRejectedError):
        await loop(time).call(attempt)
    assert "never" == await attempt()


async def test_backoff_is_jittered_and_capped(time):
    """Waits stay within the doubling bound and below the cap, and are not all alike."""
    errors = [TransientError(str(number)) for number in range(11)]
    with pytest.raises(TransientError):
        await loop(time, 11, base_seconds=1.0, cap_seconds=8.0).call(script(*errors))
    assert all(0 <= waited <= min(8.0, 2.0**n) for n, waited in enumerate(time.slept))
    assert 10 == len(set(time.slept))


async def test_retry_after_is_obeyed_at_any_length(time):
    """An hour is an hour, beyond every cap, and is waited exactly once."""
    assert "ok" == await loop(time).call(script(TransientError("wait", retry_after_seconds=3600.0), "ok"))
    assert [3600.0] == time.slept


async def test_a_pause_holds_every_call_of_the_job(time):
    """A call that starts during another's pause is not sent before its end."""
    gate = PauseGate(clock=lambda: time.now, sleep=time.sleep)
    shared = Retry(3, gate=gate, sleep=time.sleep)
    started_at = []

    async def observed():
        started_at.append(time.now)

    with pytest.raises(TransientError):
        await Retry(1, gate=gate).call(script(TransientError("wait", retry_after_seconds=30.0)))
    async with anyio.create_task_group() as group:
        group.start_soon(shared.call, observed)
        group.start_soon(shared.call, observed)
    assert all(moment >= 30.0 for moment in started_at)
    assert 2 == len(started_at)


async def test_a_shorter_pause_does_not_end_a_longer_one(time):
    """The gate opens at the later of two times."""
    gate = PauseGate(clock=lambda: time.now, sleep=time.sleep)
    gate.pause(10.0)
    gate.pause(1.0)
    await gate.wait()
    assert 10.0 == time.now
