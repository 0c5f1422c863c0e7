"""The one retry loop: full jitter, the server's own waiting time obeyed, a pause that all calls of a job share."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from freeal.errors import TransientError
from freeal.llm.limits.pause_gate import PauseGate, Sleep

T = TypeVar("T")


async def _nothing(error: TransientError) -> None:
    """Most calls have nothing to do between two attempts."""


class Retry:
    """Runs an attempt until it succeeds, at most `max_attempts` times.

    Only `TransientError` is tried again; the last one is raised. With `retry_after_seconds` on the error the gate
    closes for that time, for every call that shares it; without, this call alone waits a random time up to
    min(`cap_seconds`, `base_seconds` * 2**n) (full jitter).
    """

    def __init__(
        self,
        max_attempts: int,
        *,
        gate: PauseGate | None = None,
        sleep: Sleep = anyio.sleep,
        rng: random.Random | None = None,
        base_seconds: float = 1.0,
        cap_seconds: float = 60.0,
    ) -> None:
        self._max_attempts = max_attempts
        self._gate = gate or PauseGate(sleep=sleep)
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._base_seconds = base_seconds
        self._cap_seconds = cap_seconds

    @property
    def gate(self) -> PauseGate:
        """What holds all calls while the server wants quiet."""
        return self._gate

    async def call(
        self,
        attempt: Callable[[], Awaitable[T]],
        *,
        before_again: Callable[[TransientError], Awaitable[None]] = _nothing,
    ) -> T:
        """The result of the first attempt that succeeds.

        `before_again` is told of each failure that another attempt is to follow; what it raises ends the call.
        """
        for failures in range(self._max_attempts):
            await self._gate.wait()
            try:
                return await attempt()
            except TransientError as error:
                if error.retry_after_seconds is not None:
                    self._gate.pause(error.retry_after_seconds)
                if failures + 1 == self._max_attempts or error.is_outage:
                    raise
                await before_again(error)
                if error.retry_after_seconds is None:
                    await self._sleep(self._backoff_seconds(failures))
        raise AssertionError("max_attempts is at least 1")

    def _backoff_seconds(self, failures: int) -> float:
        # 2.0**failures overflows beyond 1,023 tries; the cap is reached long before.
        return self._rng.uniform(0.0, min(self._cap_seconds, self._base_seconds * 2.0 ** min(failures, 30)))
