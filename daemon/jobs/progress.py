"""What a running job's events do to its row in the journal, the ledger of the day and the view."""

from __future__ import annotations

from typing import Any

from daemon.clock import Clock
from daemon.jobs.job import Job, State
from daemon.jobs.journal import Journal
from daemon.view import View
from freeal.events import Event, Progress, RoundFinished, Spend

WRITE_EVERY_SECONDS = 1.0
_STATES = {"reading": State.ANNOTATING, "annotating": State.ANNOTATING}


class ProgressBook:
    """Books one run of one job. Progress is written at most once a second; money at once."""

    def __init__(self, job: Job, *, journal: Journal, clock: Clock, view: View, reserved: dict[str, float]) -> None:
        self._job = job
        self._journal = journal
        self._clock = clock
        self._view = view
        self._reserved = reserved
        self._limit = reserved.get(job.id, 0.0)
        self._state = job.state
        self._this_run_usd = 0.0
        self._unwritten: dict[str, Any] = {}
        self._written_at = clock.steady()

    def on_event(self, event: Event) -> None:
        """Take one event in."""
        self._view.event(self._job, event)
        if isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Spend):
            self._spend(event)
        elif isinstance(event, RoundFinished):
            self._journal.note(self._job.id, round=event.round)

    def flush(self) -> None:
        """Write what was held back."""
        if self._unwritten:
            self._journal.note(self._job.id, **self._unwritten)
            self._unwritten = {}

    def _progress(self, event: Progress) -> None:
        self._unwritten |= {"stage": event.stage, "done": event.done, "total": event.total}
        if event.round:
            self._unwritten["round"] = event.round
        state = _STATES.get(event.stage, State.TRAINING)
        now = self._clock.steady()
        if state is not self._state:
            self._state = state
            self._journal.move(self._job.id, state, **self._unwritten)
            self._unwritten = {}
            self._written_at = now
        elif now - self._written_at >= WRITE_EVERY_SECONDS:
            self.flush()
            self._written_at = now

    def _spend(self, event: Spend) -> None:
        """Spend counts this run of the process; earlier runs are in the job's row already."""
        step = event.usd - self._this_run_usd
        self._this_run_usd = event.usd
        self._unwritten |= {"usd": self._job.usd + event.usd, "calls": self._job.calls + event.calls}
        if step > 0:
            self._journal.book(self._job.id, step)
            self._reserved[self._job.id] = max(0.0, self._limit - event.usd)
            self.flush()
