"""How far a prediction is and how fast: from its process's events to its row in the journal and to the view."""

from __future__ import annotations

import collections

import structlog

from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.terminal.progress_log import View
from freeal.events import Event, Notice, Progress

_log = structlog.get_logger(__name__)

WRITE_EVERY_SECONDS = 1.0
LOG_EVERY_SECONDS = 60.0
REMEMBERED_SECONDS = 120.0
"""The pace is that of the last two minutes: other predictions' turns count, as they do for whoever waits."""


class Pace:
    """Of one prediction, over all its slices in this daemon."""

    def __init__(self, prediction: Prediction, *, journal: Journal, clock: Clock, view: View) -> None:
        self._prediction = prediction
        self._journal, self._clock, self._view = journal, clock, view
        self._seen: collections.deque[tuple[float, int]] = collections.deque()
        self._unwritten: Progress | None = None
        self._written_at = float("-inf")
        self._logged_at = clock.steady()

    def on_event(self, event: Event) -> None:
        """Take one event in: `Progress` in rows. Written at most once a second; what the journal cannot take is left to
        the next event: on a full disk the labelling itself goes on, and waits where it has to write something."""
        if isinstance(event, Notice):
            _log.info(event.message, prediction=self._prediction.id)
        if not isinstance(event, Progress):
            return
        now = self._clock.steady()
        self._seen.append((now, event.done))
        while len(self._seen) > 2 and now - self._seen[1][0] > REMEMBERED_SECONDS:
            self._seen.popleft()
        with Guard("showing an event", prediction=self._prediction.id):
            self._view.predicting(self._prediction, done=event.done, total=event.total)
        self._unwritten = event
        if now - self._written_at >= WRITE_EVERY_SECONDS:
            self._written_at = now
            self.flush_progress()
        if now - self._logged_at >= LOG_EVERY_SECONDS:
            self._logged_at = now
            self._log_pace(event)

    def flush_progress(self) -> None:
        """Write what was held back, if the journal takes it."""
        if (event := self._unwritten) is not None:
            rate = round(self.rows_per_second, 3)
            with Guard("writing a prediction's progress down", prediction=self._prediction.id):
                self._journal.note_prediction(
                    self._prediction.id, done=event.done, total=event.total, rows_per_second=rate
                )
                self._unwritten = None

    @property
    def rows_per_second(self) -> float:
        """0 until it can be told."""
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return max(0.0, (last - first) / (now - began)) if now > began else 0.0

    def _log_pace(self, event: Progress) -> None:
        rate = self.rows_per_second
        _log.info(
            "a CSV is being labelled",
            prediction=self._prediction.id,
            done=event.done,
            total=event.total,
            rows_per_second=round(rate, 1),
            remaining_minutes=round((event.total - event.done) / rate / 60, 1) if rate else None,
        )
