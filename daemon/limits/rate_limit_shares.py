"""Who may use how much of a provider's limits: equal parts for the jobs that call it at the moment.

The limits are the account's, and each job has a limiter of its own in its own process. A job that trains, or waits for
the device or for a batch, calls nobody, so the others have its part until it annotates again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator

import anyio

from freeal.events import BatchProgress, Event, Progress, Stage, Waiting

_SILENT: frozenset[Stage] = frozenset({"encoding", "training", "deciding", "writing"})


class Shares:
    """The jobs that run and what each of them may use. For one event loop."""

    def __init__(self) -> None:
        self._providers: dict[str, str] = {}
        self._silent: set[str] = set()
        self._changed = anyio.Event()

    @contextlib.contextmanager
    def job_at_provider(self, job_id: str, provider: str) -> Iterator[None]:
        """A job counts for the length of the block."""
        self._providers[job_id] = provider
        self._change()
        try:
            yield
        finally:
            del self._providers[job_id]
            self._silent.discard(job_id)
            self._change()

    def heed_provider_calls(self, job_id: str, event: Event) -> None:
        """Learn from a job's progress whether it calls its provider."""
        is_silent = _is_silent(event)
        if is_silent is None or is_silent == (job_id in self._silent):
            return
        if is_silent:
            self._silent.add(job_id)
        else:
            self._silent.discard(job_id)
        self._change()

    def of(self, job_id: str) -> float:
        """A job's part, above 0 and at most 1: of what is there once it calls, whether or not it does already."""
        provider = self._providers[job_id]
        others = [name for name, used in self._providers.items() if used == provider and name != job_id]
        return 1.0 / (1 + sum(name not in self._silent for name in others))

    async def tell_share(self, job_id: str, send: Callable[[float], Awaitable[None]]) -> None:
        """Send a job its part whenever it changes, until cancelled. One that was told nothing uses everything."""
        told = 1.0
        while True:
            changed = self._changed
            if (part := self.of(job_id)) != told:
                await send(part)
                told = part
            else:
                await changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _is_silent(event: Event) -> bool | None:
    """Whether a job that says this calls nobody; None where it does not tell."""
    if isinstance(event, Progress):
        return event.stage in _SILENT
    if isinstance(event, Waiting):
        return event.what != "the provider"
    return True if isinstance(event, BatchProgress) else None
