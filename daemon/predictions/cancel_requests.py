"""Which predictions somebody wants cancelled: asked of the journal now and then, not before each slice."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import anyio.to_thread

from daemon.host.clock import Clock
from daemon.journal.journal import Journal

LOOK_SECONDS = 2.0
"""How soon a `cancel` is noticed."""


class CancelRequests:
    """Those that were asked for and are not done."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._asked: set[str] = set()
        self._tried: set[str] = set()
        self._look_at = float("-inf")

    async def due_to_cancel(self, resting: AbstractSet[str]) -> set[str]:
        """Ids to cancel now. One that could not be set aside is due again once it no longer is among the `resting`."""
        now = self._clock.steady()
        if now >= self._look_at:
            self._asked = set(await anyio.to_thread.run_sync(self._journal.predictions_to_cancel))
            self._look_at = now + LOOK_SECONDS
            self._tried &= self._asked
        return self._asked - (self._tried & resting)

    def note_tried(self, prediction_id: str) -> None:
        """It could not be set aside."""
        self._tried.add(prediction_id)
