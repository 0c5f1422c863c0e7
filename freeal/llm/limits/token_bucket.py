"""Token buckets: how much may be used now, and when more may be. Pure: `now` is an argument, in monotonic seconds."""

from __future__ import annotations

BURST_SECONDS = 0.5
"""What an idle bucket may save up. Servers may hold as little as a second's worth: Anthropic enforces 60 requests per
minute as one per second where it likes (platform.claude.com/docs/en/api/rate-limits)."""

_ROUNDING = 1e-9


class Bucket:
    """Fills at a rate that may change, and may be overdrawn: what a call turned out to use is taken afterwards.

    Unlimited until `set_fill_rate` gives it a rate. `least` is the smallest capacity: one request, whatever the rate.
    """

    def __init__(self, now: float, *, least: float = 0.0) -> None:
        self._least = least
        self._per_second: float | None = None
        self._level = 0.0
        self._at = now

    @property
    def limited(self) -> bool:
        """Whether it has a rate."""
        return self._per_second is not None

    def set_fill_rate(self, per_second: float | None, now: float) -> None:
        """From now on fill at this rate; a bucket that had none begins full."""
        if per_second == self._per_second:
            return
        fresh = self._per_second is None
        self._pour(now)
        self._per_second = per_second
        self._level = self._capacity if fresh else min(self._level, self._capacity)

    def wait_seconds(self, amount: float, now: float) -> float:
        """How long until `amount` may be taken; one that is larger than the bucket waits until it is full."""
        if self._per_second is None:
            return 0.0
        self._pour(now)
        missing = min(amount, self._capacity) - self._level
        return missing / self._per_second if missing > _ROUNDING else 0.0

    def take(self, amount: float, now: float) -> None:
        """Use `amount`, there or not; a negative one gives back."""
        self._pour(now)
        self._level = min(self._level - amount, self._capacity)

    def lower(self, level: float, now: float) -> None:
        """Hold no more than this."""
        self._pour(now)
        self._level = min(self._level, level)

    @property
    def _capacity(self) -> float:
        return max(self._least, (self._per_second or 0.0) * BURST_SECONDS)

    def _pour(self, now: float) -> None:
        if self._per_second is not None:
            self._level = min(self._capacity, self._level + (now - self._at) * self._per_second)
        self._at = now
