"""freeal/llm/limits/rate_limit_headers.py: what the headers of answers say."""

from __future__ import annotations

import pytest

from freeal.llm.limits.rate_limit_headers import RateLimits, limits_in_headers

NOW = 1_800_000_000.0

ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "1000",
    "anthropic-ratelimit-requests-remaining": "999",
    "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:30Z",
    "anthropic-ratelimit-input-tokens-limit": "2000000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:00:12.500Z",
    "anthropic-ratelimit-output-tokens-limit": "400000",
    "anthropic-ratelimit-output-tokens-remaining": "399000",
    "anthropic-ratelimit-tokens-limit": "2400000",
}
OPENAI = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-tokens": "6m0s",
}


def test_anthropic():
    """Three limits per minute; the sum of two of them is not a fourth."""
    said = limits_in_headers(ANTHROPIC, NOW)
    assert RateLimits(requests=1000, input_tokens=2_000_000, output_tokens=400_000) == said.limits
    assert RateLimits(requests=999, input_tokens=0, output_tokens=399_000) == said.remaining
    assert RateLimits(requests=30.0, input_tokens=12.5) == said.reset_seconds
    assert 12.5 == said.exhausted_seconds


def test_openai():
    """Requests, and input and output tokens together."""
    said = limits_in_headers(OPENAI, NOW)
    assert RateLimits(requests=60, tokens=150_000) == said.limits
    assert RateLimits(requests=1.0, tokens=360.0) == said.reset_seconds
    assert 1.0 == said.exhausted_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120ms", 0.12),
        ("2m59.56s", 179.56),
        ("1h2m", 3_720.0),
        ("1d", 86_400.0),
        ("7", 7.0),
        ("6x0s", None),
        ("", None),
    ],
)
def test_durations(value, seconds):
    """As the various servers write them; nonsense is nothing."""
    assert seconds == pytest.approx(limits_in_headers({"x-ratelimit-reset-tokens": value}, NOW).reset_seconds.tokens)


@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf", ""])
def test_nonsense_is_no_limit(value):
    """A proxy's broken header slows nobody down."""
    said = limits_in_headers({"x-ratelimit-limit-requests": value, "x-ratelimit-remaining-requests": value}, NOW)
    assert RateLimits() == said.limits == said.remaining
    assert None is said.exhausted_seconds


def test_a_limit_of_zero_is_none():
    """Some proxies send it where they do not limit."""
    assert RateLimits() == limits_in_headers({"x-ratelimit-limit-requests": "0"}, NOW).limits


def test_two_sources_are_merged_per_kind():
    """The tighter one holds; what one does not know the other says."""
    one, other = RateLimits(requests=10, tokens=5), RateLimits(requests=20, input_tokens=7)
    assert RateLimits(requests=10, tokens=5, input_tokens=7) == one.tightest(other)
    assert RateLimits(requests=20, tokens=5, input_tokens=7) == one.updated(other)
