"""The rate limits of the shipped server: what they let through, and whether the headers say so."""

from __future__ import annotations

import contextlib
import itertools

import httpx
import pytest

from freeal.testing.server import Limits, MessagesServer
from freeal.testing.server.enforced_rate_limits import Bucket, Meter

LONG = "Think well. " * 400


class Now:
    """A clock that the test moves."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def now():
    """A clock that the test moves."""
    return Now()


@pytest.fixture
def meter(now):
    """A meter by that clock, whose wall shows the same."""
    return lambda **limits: Meter(Limits(**limits), clock=now, wall=now)


def ask(server, text="a good thing", *, path="/v1/messages", cached=""):
    """One plain request."""
    content = [{"type": "text", "text": cached, "cache_control": {"type": "ephemeral"}}] if cached else []
    content.append({"type": "text", "text": f"<text>{text}</text>"})
    body = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": content}]}
    return httpx.post(server.base_url + path, json=body, headers={"x-api-key": "k"})


def test_a_bucket_holds_a_burst_and_refills_all_the_time(now):
    """600 a minute with a burst of one second: ten at once, then one every tenth of a second, never more than ten."""
    bucket = Bucket(600, 1.0, now)
    bucket.take(10)
    assert (0.0, 0.1) == (bucket.bucket_level(), pytest.approx(bucket.wait_seconds(1)))
    now.seconds += 0.25
    assert pytest.approx(2.5) == bucket.bucket_level()
    now.seconds += 60
    assert (10.0, 0.0) == (bucket.bucket_level(), bucket.full_in_seconds())


def test_a_bucket_in_debt_waits_until_it_is_paid_back(now):
    """What was used beyond the limit is not forgiven; what could never fit passes when the bucket is full."""
    bucket = Bucket(600, 1.0, now)
    bucket.take(15)
    assert (-5.0, pytest.approx(0.6)) == (bucket.bucket_level(), bucket.wait_seconds(1))
    assert pytest.approx(1.5) == bucket.wait_seconds(1_000_000)


@pytest.mark.parametrize("limit", ["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"])
def test_a_client_that_waits_as_told_gets_exactly_the_rate(meter, now, limit):
    """Over ten seconds after the burst, with 30 tokens in and out: what the limit permits, and not one refusal more."""
    each = 1 if limit == "requests_per_minute" else 30
    metered = meter(**{limit: 600 * each}, burst_seconds=1.0)
    admitted = refused = 0
    while now.seconds < 1011.0:
        wait_seconds = metered.admit(30)
        if wait_seconds is None:
            admitted += 1
            metered.use_output(30)
        else:
            refused += 1
            now.seconds += wait_seconds
    assert 110 <= admitted <= 121
    assert refused <= admitted + 1


def test_only_so_many_are_under_way_at_once(meter):
    """The third is refused until one of the two has ended."""
    metered = meter(concurrency=2)
    with contextlib.ExitStack() as under_way:
        for _ in range(2):
            assert metered.admit(1) is None
            under_way.enter_context(metered.connection())
        assert 1.0 == metered.admit(1)
    assert (None, 2) == (metered.admit(1), metered.most_under_way)


def test_a_refused_request_uses_nothing(meter):
    """Neither of the limit that refused it nor of the others."""
    metered = meter(requests_per_minute=60, input_tokens_per_minute=60)
    assert metered.admit(40) is None
    for _ in range(100):
        assert 20.0 == metered.admit(40)
    assert ("59", "20") == tuple(
        metered.anthropic_headers()[f"anthropic-ratelimit-{name}-remaining"] for name in ("requests", "input-tokens")
    )


def test_headers_tell_limit_rest_and_when_it_is_full_again(meter):
    """In the words of either protocol, for the limits that there are."""
    metered = meter(requests_per_minute=60, input_tokens_per_minute=6000)
    assert metered.admit(250) is None
    assert {
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "1970-01-01T00:16:41.000Z",
        "anthropic-ratelimit-input-tokens-limit": "6000",
        "anthropic-ratelimit-input-tokens-remaining": "5750",
        "anthropic-ratelimit-input-tokens-reset": "1970-01-01T00:16:42.500Z",
    } == metered.anthropic_headers()
    assert {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1.000s",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "5750",
        "x-ratelimit-reset-tokens": "2.500s",
    } == metered.openai_headers()
    assert {} == meter().anthropic_headers()


def test_a_request_over_the_limit_is_429_and_says_when_to_come_back():
    """It is counted, costs nothing and uses up no scripted fault."""
    limits = Limits(requests_per_minute=2)
    with MessagesServer(str.upper, limits=limits, faults=[None, "500", "529"]) as server:
        replies = [ask(server) for _ in range(4)]
        assert [200, 500, 429, 429] == [reply.status_code for reply in replies]
        assert ({200: 1, 500: 1, 429: 2}, 2, 1, 4) == (
            dict(server.statuses),
            server.limited,
            server.billed.calls,
            len(server.requests),
        )
    assert 29.0 < float(replies[2].headers["retry-after"]) <= 30.0
    assert ["1", "0", "0", "0"] == [reply.headers["anthropic-ratelimit-requests-remaining"] for reply in replies]


def test_reads_from_the_prompt_cache_do_not_count_as_input():
    """The first request writes the prefix, whose tokens count; the others read it, and only their own count."""
    with MessagesServer(lambda text: "x", limits=Limits(input_tokens_per_minute=6_000)) as server:
        rest = [int(ask(server, cached=LONG).headers["anthropic-ratelimit-input-tokens-remaining"]) for _ in range(3)]
        prefix = len(LONG) // 4
        assert [prefix, 0, 0] == [request.asked.cache_write_tokens for request in server.requests]
        used = [before - after for before, after in itertools.pairwise([6_000, *rest])]
    assert used[0] > prefix
    assert all(0 <= tokens <= 30 for tokens in used[1:])


def test_chat_completions_know_one_limit_of_tokens():
    """It takes the input and all that might come out."""
    with MessagesServer(lambda text: "x", limits=Limits(input_tokens_per_minute=600)) as server:
        reply = ask(server, path="/v1/chat/completions")
    taken = reply.json()["usage"]["prompt_tokens"] + 64
    assert taken - 1 <= 600 - int(reply.headers["x-ratelimit-remaining-tokens"]) <= taken
    assert "anthropic-ratelimit-requests-limit" not in reply.headers
