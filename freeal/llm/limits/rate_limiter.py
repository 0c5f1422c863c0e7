"""The one limiter of a job: every call to the language model waits here for its turn.

What decides is `freeal.llm.limits.pacing_rules`; this adds the waiting, in the order of asking.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import AsyncIterator, Mapping

import anyio

from freeal.errors import AccountError, LlmError, SpendCapError, TransientError
from freeal.llm.limits.pacing_rules import Demand, Pacing, Ticket
from freeal.llm.limits.pause_gate import Clock, PauseGate
from freeal.llm.limits.rate_limit_headers import RateLimits, limits_in_headers
from freeal.settings import LlmSettings

_OUTAGE_SECONDS = 60.0
"""How long a server may be overloaded, out of reach or silent, probes included, before it is given up for now.

A job in an outage must end soon: the daemon pauses it, and another job takes its place."""


class Limiter:
    """Lets calls go one after the other, as fast as the limits permit. Belongs to one event loop.

    `limits` are those of the settings; others are learned from `heard`. `clock` is monotonic, `wall` the Unix time, in
    seconds. `gate` is what a 429's `retry-after` closes, for every call of the job and for as long as it says.
    """

    def __init__(
        self,
        concurrency: int,
        *,
        limits: RateLimits | None = None,
        gate: PauseGate | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self.gate = gate or PauseGate(clock=clock)
        self._clock = clock
        self._wall = wall
        self._pacing = Pacing(concurrency, limits=limits or RateLimits(), now=clock())
        self._turn = anyio.Lock()
        self._changed = anyio.Event()
        self._ended_by: LlmError | None = None
        self._endings = 0
        self._others: list[Limiter] = []

    @classmethod
    def of(cls, settings: LlmSettings) -> Limiter:
        """A limiter that keeps to the settings."""
        limits = RateLimits(
            requests=settings.requests_per_minute,
            input_tokens=settings.input_tokens_per_minute,
            output_tokens=settings.output_tokens_per_minute,
        )
        return cls(settings.concurrency, limits=limits)

    def for_another_server(self, settings: LlmSettings) -> Limiter:
        """One that keeps to the settings by itself, and takes the same share of them."""
        other = Limiter.of(settings)
        self._others.append(other)
        return other

    @property
    def limits(self) -> RateLimits:
        """What this job may use per minute, as far as it is known."""
        return self._pacing.limits

    def take_share(self, share: float) -> None:
        """Use only this part (above 0, at most 1) of all limits from now on: others need the rest."""
        self._pacing.take_share(share, self._clock())
        self._wake()
        for other in self._others:
            other.take_share(share)

    def heard(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of any answer, a refusal included."""
        self._pacing.pace_by_headers(limits_in_headers(headers, self._wall()), self._clock())
        self._wake()

    @contextlib.asynccontextmanager
    async def call(self, demand: Demand) -> AsyncIterator[Ticket]:
        """Wait until one call may go; it is under way for the length of the block. Errors pass, and are learned from.

        The block hands the ticket to `answered` when an answer came. After an error that no other call can escape (key,
        money, an outage) those that wait get it too, rather than to go and meet it.
        """
        ticket = await self._wait_for_ticket(demand)
        try:
            yield ticket
        except TransientError as error:
            self._slow_down_after_failure(ticket, error)
            raise
        except LlmError as error:
            self._pacing.breaker.answered()
            if isinstance(error, AccountError | SpendCapError):
                self._end_waiting(error)
            raise
        finally:
            self._pacing.release(ticket)
            self._wake()

    def answered(self, ticket: Ticket, *, input_tokens: int, output_tokens: int) -> None:
        """Replace what was reserved by what was used; `input_tokens` are those that count against the limit."""
        self._pacing.pace_after_answer(
            ticket, input_tokens=input_tokens, output_tokens=output_tokens, now=self._clock()
        )
        self._wake()

    def _slow_down_after_failure(self, ticket: Ticket, error: TransientError) -> None:
        now, told_seconds = self._clock(), error.retry_after_seconds
        breaker, seconds = self._pacing.breaker, None
        is_silence = error.trouble == "unavailable" or error.timed_out
        if error.trouble == "rate_limit":
            seconds = self._pacing.pace_after_refusal(ticket, now, retry_after_seconds=told_seconds)
        elif is_silence:
            seconds = breaker.count_failure(sent_at=ticket.sent_at, is_probe=ticket.is_probe, now=now)
        elif error.trouble == "failed":
            breaker.answered()  # with an error, but it is there
        probed = breaker.times_opened > 1
        if seconds is not None and is_silence and probed and breaker.silent_seconds(now) >= _OUTAGE_SECONDS:
            error.is_outage = True
            self._end_waiting(error)
        elif seconds is not None or told_seconds is not None:
            self.gate.pause(max(seconds or 0.0, told_seconds or 0.0))

    def _end_waiting(self, error: LlmError) -> None:
        self._ended_by = error
        self._endings += 1

    async def _wait_for_ticket(self, demand: Demand) -> Ticket:
        endings = self._endings
        async with self._turn:
            while True:
                await self.gate.wait()
                if self._ended_by is not None and self._endings > endings:
                    raise copy.copy(self._ended_by)
                found = self._pacing.pace_next_call(demand, self._clock())
                if isinstance(found, Ticket):
                    return found
                with anyio.move_on_after(found):
                    await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
