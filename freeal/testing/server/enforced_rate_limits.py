"""The server's rate limits: token buckets that refill all the time, and headers that are true.

platform.claude.com/docs/en/api/rate-limits: requests, input tokens (reads from the prompt cache do not count) and
output tokens (`max_tokens` does not count, only what was generated).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import time
from collections.abc import Callable, Iterator

Clock = Callable[[], float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server permits; None does not limit.

    A bucket holds what flows in during `burst_seconds`: 60 as the real service has it, 1 for a test that wants to meet
    its limit within a second. Chat completions know one limit of tokens, at OpenAI and elsewhere: there
    `input_tokens_per_minute` takes the input, cached or not, and all of `max_tokens` when a request begins.
    """

    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    concurrency: int | None = None
    burst_seconds: float = 60.0


class Bucket:
    """Fills at `per_minute` up to what `burst_seconds` bring. `clock` is monotonic, in seconds."""

    def __init__(self, per_minute: float, burst_seconds: float, clock: Clock) -> None:
        """The token bucket of one rate limit that the test server enforces, full at first."""
        self.per_minute = per_minute
        self._per_second = per_minute / 60.0
        self._capacity = self._per_second * burst_seconds
        self._clock = clock
        self._level = self._capacity
        self._at = clock()

    def bucket_level(self) -> float:
        """What may be taken now; below zero after more was used than there was."""
        now = self._clock()
        self._level = min(self._capacity, self._level + (now - self._at) * self._per_second)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        """Use `amount`, whether or not it is there."""
        self._level = self.bucket_level() - amount

    def wait_seconds(self, amount: float) -> float:
        """How long until `amount` is there; more than the bucket can hold passes when it is full."""
        return max(0.0, (min(amount, self._capacity) - self.bucket_level()) / self._per_second)

    def full_in_seconds(self) -> float:
        """How long until nothing more flows in."""
        return max(0.0, (self._capacity - self.bucket_level()) / self._per_second)


class Meter:
    """Counts what is under way and what was used. Not for several threads: the server locks around it."""

    def __init__(self, limits: Limits, *, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        """The rate limits that the test server enforces, none used yet."""
        self._limits = limits
        self._wall = wall

        def bucket(per_minute: float | None) -> Bucket | None:
            return None if per_minute is None else Bucket(per_minute, limits.burst_seconds, clock)

        self._requests = bucket(limits.requests_per_minute)
        self._input = bucket(limits.input_tokens_per_minute)
        self._output = bucket(limits.output_tokens_per_minute)
        self.under_way = 0
        self.most_under_way = 0

    def admit(self, input_tokens: int) -> float | None:
        """None when a request may go ahead, which uses its share; else the seconds after which it might."""
        waits = [
            bucket.wait_seconds(amount)
            for bucket, amount in ((self._requests, 1), (self._input, input_tokens), (self._output, 1))
            if bucket is not None
        ]
        if self._limits.concurrency is not None and self.under_way >= self._limits.concurrency:
            waits.append(self._limits.burst_seconds / 60.0)
        if any(waits):
            return math.ceil(max(waits) * 1000) / 1000
        if self._requests is not None:
            self._requests.take(1)
        if self._input is not None:
            self._input.take(input_tokens)
        return None

    @contextlib.contextmanager
    def connection(self) -> Iterator[None]:
        """One request under way at the test server, for its limit of requests side by side."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            yield
        finally:
            self.under_way -= 1

    def use_output(self, tokens: int) -> None:
        """Take what was generated from the limit of output tokens."""
        if self._output is not None:
            self._output.take(tokens)

    def anthropic_headers(self) -> dict[str, str]:
        """`anthropic-ratelimit-<what>-limit`, `-remaining` and `-reset` (RFC 3339: when all is there again)."""
        headers = {}
        named = (("requests", self._requests), ("input-tokens", self._input), ("output-tokens", self._output))
        for name, bucket in named:
            if bucket is not None:
                reset = datetime.datetime.fromtimestamp(self._wall() + bucket.full_in_seconds(), datetime.UTC)
                headers[f"anthropic-ratelimit-{name}-limit"] = f"{bucket.per_minute:.0f}"
                headers[f"anthropic-ratelimit-{name}-remaining"] = str(max(0, math.floor(bucket.bucket_level())))
                headers[f"anthropic-ratelimit-{name}-reset"] = f"{reset:%Y-%m-%dT%H:%M:%S}.{reset:%f}"[:23] + "Z"
        return headers

    def openai_headers(self) -> dict[str, str]:
        """`x-ratelimit-limit-<what>`, `-remaining-` and `-reset-` (as `120ms` or `2.500s`: until all is there)."""
        headers = {}
        for name, bucket in (("requests", self._requests), ("tokens", self._input)):
            if bucket is not None:
                left = math.ceil(bucket.full_in_seconds() * 1000)
                headers[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.0f}"
                headers[f"x-ratelimit-remaining-{name}"] = str(max(0, math.floor(bucket.bucket_level())))
                headers[f"x-ratelimit-reset-{name}"] = f"{left}ms" if left < 1000 else f"{left / 1000:.3f}s"
        return headers
