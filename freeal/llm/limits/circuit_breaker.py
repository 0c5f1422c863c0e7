"""The circuit breaker: all calls stop when several in a row failed. Pure: `now` (monotonic) is an argument."""

from __future__ import annotations

import math


class Breaker:
    """Stops all calls after several failures in a row, for a time that grows; then one call goes ahead of the others.

    closed -> open (the caller keeps everybody waiting) -> half-open (one probe) -> closed when anything is answered,
    open for longer when the probe fails too.
    """

    def __init__(self, *, failures: int = 3, first_seconds: float = 1.0, longest_seconds: float = 60.0) -> None:
        self._failures_allowed = failures
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._in_a_row = 0
        self._times_opened = 0
        self._opened_at = -math.inf
        self._failed_first_at: float | None = None
        self._probing = False

    def silent_seconds(self, now: float) -> float:
        """Since the first failure of this row; 0 where the last call was answered."""
        return 0.0 if self._failed_first_at is None else now - self._failed_first_at

    @property
    def times_opened(self) -> int:
        """In a row, without an answer in between."""
        return self._times_opened

    @property
    def holds(self) -> bool:
        """Whether a probe is under way: nobody else goes."""
        return self._probing

    def let_go(self) -> bool:
        """A call goes; whether it is the probe."""
        self._probing = self._times_opened > 0
        return self._probing

    def answered(self) -> None:
        """The server is there."""
        self._in_a_row = self._times_opened = 0
        self._failed_first_at = None
        self._probing = False

    def count_failure(self, *, sent_at: float, is_probe: bool, now: float) -> float | None:
        """One more failure; the seconds to stop for, where that is due.

        Of calls sent before the last opening only the probe counts: others tell nothing new.
        """
        if self._failed_first_at is None:
            self._failed_first_at = now
        if not is_probe:
            if sent_at <= self._opened_at:
                return None
            self._in_a_row += 1
            if self._in_a_row < self._failures_allowed:
                return None
        return self.open_circuit(now)

    def open_circuit(self, now: float) -> float:
        """Stop all calls, for twice as long as the last time; the seconds."""
        seconds = min(self._longest_seconds, self._first_seconds * 2.0 ** min(self._times_opened, 30))
        self._times_opened += 1
        self._opened_at = now
        self._probing = False
        return seconds

    def give_up_probe(self) -> None:
        """The probe ended without telling anything (a stop): the next call is the probe."""
        self._probing = False
