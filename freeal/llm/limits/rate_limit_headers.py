"""What servers permit, and what their answers' headers say about it.

Anthropic (platform.claude.com/docs/en/api/rate-limits): `anthropic-ratelimit-{requests,input-tokens,output-tokens}-`
`{limit,remaining,reset}`, per minute and model, `reset` an RFC 3339 time at which the bucket is full again. Its
`anthropic-ratelimit-tokens-*` are not read: they are the sum of the other two, or stand for whatever is tightest.
OpenAI and those who follow it (platform.openai.com/docs/guides/rate-limits): `x-ratelimit-{limit,remaining,reset}-`
`{requests,tokens}`, input and output tokens together, `reset` a duration such as `6m0s`. Some of them (Groq) count
requests per day there, and so does the plain `x-ratelimit-{limit,remaining,reset}` of others (OpenRouter; `reset` is
a Unix time, in milliseconds): that is read as per minute, too generous rather than too strict.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import re
from collections.abc import Callable, Mapping

_NAMES: Mapping[str, tuple[str, ...]] = {
    "requests": ("anthropic-ratelimit-requests-{0}", "x-ratelimit-{0}-requests", "x-ratelimit-{0}"),
    "input_tokens": ("anthropic-ratelimit-input-tokens-{0}",),
    "output_tokens": ("anthropic-ratelimit-output-tokens-{0}",),
    "tokens": ("x-ratelimit-{0}-tokens",),
}
_EARLIEST_TIME = 1e9
"""A number above it is no time to wait but a point in time: seconds, or milliseconds, since 1970."""

_UNIT_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """One number per kind of limit, None where there is none. `tokens` counts input and output together."""

    requests: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    tokens: float | None = None

    def tightest(self, other: RateLimits) -> RateLimits:
        """The smaller of two per kind; where one is None, the other."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in _NAMES}
        return RateLimits(
            **{name: min((one for one in pair if one is not None), default=None) for name, pair in pairs.items()}
        )

    def updated(self, newer: RateLimits) -> RateLimits:
        """`newer`, where it says nothing this one."""
        return RateLimits(
            **{name: getattr(self, name) if getattr(newer, name) is None else getattr(newer, name) for name in _NAMES}
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Announced:
    """The rate-limit headers of one answer: per minute, left now, and seconds until all is there again."""

    limits: RateLimits
    remaining: RateLimits
    reset_seconds: RateLimits

    @property
    def exhausted_seconds(self) -> float | None:
        """Until the last of the used-up limits is there again; None where no header says that one is used up."""
        waits = [
            getattr(self.reset_seconds, name)
            for name in _NAMES
            if getattr(self.remaining, name) == 0 and getattr(self.reset_seconds, name) is not None
        ]
        return max(waits, default=None)


def limits_in_headers(headers: Mapping[str, str], now: float) -> Announced:
    """What the headers of an answer say; nonsense counts as nothing. `now` is the Unix time: a `reset` may be one."""
    limits = {name: _first(headers, name, "limit", _amount_in_header) for name in _NAMES}
    remaining = {name: _first(headers, name, "remaining", _amount_in_header) for name in _NAMES}
    reset = {
        name: _first(headers, name, "reset", lambda value: _reset_seconds_in_header(value, now)) for name in _NAMES
    }
    positive = {name: limit or None for name, limit in limits.items()}
    return Announced(RateLimits(**positive), RateLimits(**remaining), RateLimits(**reset))


def _first(headers: Mapping[str, str], name: str, what: str, read: Callable[[str], float | None]) -> float | None:
    found = (headers.get(pattern.format(what)) for pattern in _NAMES[name])
    return next((read(value) for value in found if value is not None), None)


def _amount_in_header(value: str) -> float | None:
    try:
        amount = float(value)
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def _reset_seconds_in_header(value: str, now: float) -> float | None:
    if _DURATION.fullmatch(value):
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    try:
        return max(0.0, datetime.datetime.fromisoformat(value).timestamp() - now)
    except (ValueError, OverflowError):
        amount = _amount_in_header(value)
    if amount is None or amount < _EARLIEST_TIME:
        return amount
    return max(0.0, (amount / 1000.0 if amount > 1000.0 * _EARLIEST_TIME else amount) - now)
