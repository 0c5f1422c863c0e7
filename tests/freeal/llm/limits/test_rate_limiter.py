"""freeal/llm/limits/rate_limiter.py: waiting for a turn, and the limits of a real server on loopback."""

from __future__ import annotations

import anyio
import pytest

from freeal.errors import AccountError, LlmError, RowRejectedError, SpendCapError, TransientError
from freeal.llm.limits.pacing_rules import Demand
from freeal.llm.limits.pause_gate import PauseGate
from freeal.llm.limits.rate_limit_headers import RateLimits
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.llm.providers.openai import OpenAIModel
from freeal.settings import LlmSettings
from freeal.testing.server import Fault, Limits, MessagesServer

pytestmark = pytest.mark.anyio

DEMAND = Demand(100, 1_024)


def by_keyword(text):
    return "positive" if "good" in text else "negative"


async def widen(limiter, count):
    """Answer some calls, so that as many may be under way at once."""
    for _ in range(count):
        async with limiter.call(DEMAND) as ticket:
            limiter.answered(ticket, input_tokens=10, output_tokens=5)


async def failing_call(limiter, error):
    """A call that meets this error, or the one that ended its waiting."""
    with pytest.raises(LlmError) as caught:
        async with limiter.call(DEMAND):
            raise error
    return caught.value


@pytest.fixture
def limiter(time):
    """Four at once; what it waits for a server takes no time."""
    return Limiter(4, gate=PauseGate(clock=lambda: time.now, sleep=time.sleep), clock=lambda: time.now)


async def test_calls_go_in_the_order_of_asking_and_never_too_many(limiter):
    """Four under way, the fifth when one of them is over."""
    await widen(limiter, 4)
    order, under_way = [], []

    async def call(number):
        async with limiter.call(DEMAND):
            order.append(number)
            under_way.append(number)
            await anyio.wait_all_tasks_blocked()
            assert len(under_way) <= 4
            under_way.remove(number)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(call, number)
    assert list(range(12)) == order


async def test_a_cancelled_call_leaves_its_place(limiter):
    """Neither one that waits nor one that is under way holds the others up afterwards."""
    entered = anyio.Event()

    async def hold():
        async with limiter.call(DEMAND):
            entered.set()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(hold)
        await entered.wait()
        group.start_soon(hold)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await widen(limiter, 1)


async def test_a_429_holds_every_call_for_as_long_as_it_says(limiter, time):
    """An hour is an hour; nobody goes in between."""
    with pytest.raises(TransientError):
        async with limiter.call(DEMAND):
            raise TransientError("wait", trouble="rate_limit", retry_after_seconds=3_600.0)
    async with limiter.call(DEMAND):
        assert 3_600.0 == time.now


async def test_overload_lets_one_probe_go_first(limiter, time):
    """After three failures in a row: a second of quiet, one call alone, and all of them once it is answered."""
    await widen(limiter, 4)
    for _ in range(3):
        time.now += 0.01
        with pytest.raises(TransientError):
            async with limiter.call(DEMAND):
                raise TransientError("529", trouble="unavailable")
    under_way = []

    async def call():
        async with limiter.call(DEMAND) as ticket:
            under_way.append(ticket.is_probe)
            seen.append(len(under_way))
            await anyio.wait_all_tasks_blocked()
            limiter.answered(ticket, input_tokens=10, output_tokens=5)
            under_way.pop()

    seen: list[int] = []
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(call)
    assert [1.0] == time.slept
    assert (1, 1) == (seen[0], min(seen[1:]))
    assert max(seen[1:]) > 1


async def test_a_rejected_row_is_a_sign_of_life(limiter, time):
    """The server answered: two failures before and one after it are not three in a row."""
    busy = [TransientError("529", trouble="unavailable") for _ in range(4)]
    for error in (*busy[:2], RowRejectedError("no"), busy[2], TransientError("500"), busy[3]):
        time.now += 0.01
        with pytest.raises(type(error)):
            async with limiter.call(DEMAND):
                raise error
    await widen(limiter, 1)
    assert [] == time.slept


def test_the_settings_are_its_limits():
    """Each key of freeal.yaml, and a share of each."""
    settings = LlmSettings(
        requests_per_minute=600, input_tokens_per_minute=10_000, output_tokens_per_minute=2_000, concurrency=3
    )
    limiter = Limiter.of(settings)
    limiter.take_share(0.5)
    assert RateLimits(requests=300, input_tokens=5_000, output_tokens=1_000) == limiter.limits


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_the_limits_of_a_server_are_learned_and_kept(provider, key, prompt):
    """Forty rows as fast as a server with a burst of one second permits: not one is refused."""
    limits = Limits(requests_per_minute=1_800, burst_seconds=1.0)
    with MessagesServer(by_keyword, limits=limits) as server:
        limiter = Limiter(16)
        model = (
            AnthropicModel(key, retry=Retry(1), limiter=limiter, base_url=server.base_url)
            if provider == "anthropic"
            else OpenAIModel("m", retry=Retry(1), limiter=limiter, base_url=f"{server.base_url}/v1")
        )
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(model.answer, [prompt])
        await model.aclose()
        assert 1_800 == limiter.limits.requests
        assert 40 == server.billed.calls == len(server.requests)


async def test_reads_from_the_prompt_cache_count_where_the_provider_says_so():
    """Not at Anthropic; where one limit holds input and output together they do."""
    assert not AnthropicModel.cached_input_counts
    assert OpenAIModel.cached_input_counts


async def test_a_refusals_headers_are_learned_from_too(key, prompt):
    """The first answer of all may be a 429."""
    with MessagesServer(by_keyword, limits=Limits(requests_per_minute=1_800), faults=[Fault("429", 0.01)]) as server:
        limiter = Limiter(16)
        model = AnthropicModel(key, retry=Retry(1), limiter=limiter, base_url=server.base_url)
        with pytest.raises(TransientError):
            await model.answer([prompt])
        await model.aclose()
    assert 1_800 == limiter.limits.requests


async def test_a_minute_of_overload_is_an_outage(limiter, time):
    """After six silences the call is told that it is for later, and nobody is held up any more."""
    errors = []
    while not errors or not errors[-1].is_outage:
        time.now += 0.01
        errors.append(await failing_call(limiter, TransientError("529", trouble="unavailable")))
    assert [1, 2, 4, 8, 16, 32] == [round(seconds) for seconds in time.slept]
    assert 3 + 6 == len(errors)


async def test_a_server_that_takes_calls_and_says_nothing_is_an_outage_within_minutes(limiter, time):
    """Calls of a minute each, one after the other as at the start of a job: three silences, one probe, and it ends."""
    errors = []
    while not errors or not errors[-1].is_outage:
        time.now += 60.0
        errors.append(await failing_call(limiter, TransientError("silence", trouble="lost_reply", timed_out=True)))
    assert 4 == len(errors)
    assert time.now < 300


async def test_answers_that_break_on_the_way_are_no_outage(limiter, time):
    """Somebody is there: each call fails for itself, and nobody else waits."""
    for _ in range(100):
        time.now += 1.0
        error = await failing_call(limiter, TransientError("reset", trouble="lost_reply"))
        assert not error.is_outage
    assert [] == time.slept


@pytest.mark.parametrize("kind", [AccountError, SpendCapError])
async def test_what_no_call_can_escape_ends_the_waiting_of_all(limiter, kind):
    """One request meets it; the others are not sent; later ones are, for somebody may have mended it."""
    sent, met = [], []

    async def send(number):
        sent.append(number)
        await anyio.wait_all_tasks_blocked()
        raise kind("no")

    async def call(number):
        with pytest.raises(kind) as caught:
            async with limiter.call(DEMAND):
                await send(number)
        met.append(str(caught.value))

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(call, number)
    assert ([0], ["no"] * 10) == (sent, met)
    await widen(limiter, 1)
