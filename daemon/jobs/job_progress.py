"""What a running job's events do to its row in the journal, the ledger of the day and the view."""

from __future__ import annotations

from typing import Any

from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.journal.job_history import History
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.limits.daily_spend import Purse
from daemon.terminal.progress_log import View
from freeal.events import BatchProgress, Event, Notice, Progress, RoundFinished, Spend, Waiting
from freeal.types import Bill

WRITE_EVERY_SECONDS = 1.0
_STATES = {"reading": State.ANNOTATING, "loading": State.ANNOTATING, "annotating": State.ANNOTATING}


class ProgressBook:
    """Books one run of one job. Progress is written at most once a second; money at once.

    What the journal cannot take is held and written with the next event: on a full disk the run itself goes on, and
    waits where it has to write something.
    """

    def __init__(self, job: Job, *, journal: Journal, purse: Purse, clock: Clock, view: View, billed: Bill) -> None:
        """`billed` is what the answer store knows of earlier runs: what events report includes it."""
        self._job = job
        self._journal = journal
        self._history = History(journal, clock)
        self._purse = purse
        self._clock = clock
        self._view = view
        self._unstored_usd = job.usd - billed.usd
        self._unstored_calls = job.calls - billed.usage.calls
        self._booked_usd = job.usd
        self._unconfirmed_usd = billed.unconfirmed_usd
        self._state = job.state
        self._stage = ""
        self._working_on = ("", 0)
        self._unbooked: Spend | None = None
        """The newest word on money, while the journal has not taken it."""
        self._unwritten: dict[str, Any] = {}
        self._written_at = clock.steady()

    def on_event(self, event: Event) -> None:
        """Take one event in. Never raises for the journal's sake."""
        with Guard("showing an event", job=self._job.id):
            self._view.event(self._job, event)
        with Guard("writing a job's progress down", job=self._job.id):
            self._take_event(event)

    def _take_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._write_progress(event)
        elif isinstance(event, Spend):
            self._book_spend(event)
        elif isinstance(event, BatchProgress):
            self._stage = "waiting for a batch"
            self._unwritten |= {"stage": self._stage, "done": event.answered, "total": event.requests}
            self._unwritten |= self._stage_beginning(self._stage, 0, event.answered)
            self.flush()
        elif isinstance(event, Waiting):
            if self._stage != (stage := f"waiting for {event.what}"):
                self._stage = stage
                self._unwritten |= {"stage": stage}
                self.flush()
        elif isinstance(event, RoundFinished):
            self._unwritten |= {"round": event.round}
            self.flush()
            self._history.add_entry(self._job.id, "round", event.metrics)
        elif isinstance(event, Notice):
            self._history.add_entry(self._job.id, "notice", {"message": event.message})

    def close(self) -> None:
        """The run is over: write what was held back, money first. Raises what the journal does."""
        if self._unbooked is not None:
            self._book_spend(self._unbooked)
        self.flush()

    def flush(self) -> None:
        """Write what was held back."""
        if self._unwritten:
            self._journal.note(self._job.id, **self._unwritten)
            self._unwritten = {}

    def _write_progress(self, event: Progress) -> None:
        has_begun = self._stage != event.stage
        self._stage = event.stage
        self._unwritten |= {"stage": event.stage, "done": event.done, "total": event.total}
        begins = self._working_on != (event.stage, event.round)
        self._unwritten |= self._stage_beginning(event.stage, event.round, event.done)
        if event.round:
            self._unwritten["round"] = event.round
        if event.rounds:
            self._unwritten["rounds"] = event.rounds
        ends_at = None if event.remaining_seconds is None else self._clock.wall() + event.remaining_seconds
        self._unwritten |= {"overall": event.overall, "ends_at": ends_at}
        state = _STATES.get(event.stage, State.TRAINING)
        now = self._clock.steady()
        if state is not self._state:
            self._written_at = now
            self._journal.move(self._job.id, state, **self._unwritten)
            self._state = state
            self._unwritten = {}
        elif has_begun or now - self._written_at >= WRITE_EVERY_SECONDS:  # loading a model says nothing for a minute
            self._written_at = now
            self.flush()
        if begins:
            content = {"stage": event.stage, "round": event.round, "rounds": event.rounds}
            self._history.add_entry(self._job.id, "stage", content)

    def _stage_beginning(self, stage: str, round_number: int, done: int) -> dict[str, Any]:
        """When this stage began and how much of it was there then, if it has begun just now. Waiting in its midst is
        part of it, so that what `status` makes of it is how fast the job really is."""
        if self._working_on == (stage, round_number):
            return {}
        self._working_on = (stage, round_number)
        return {"stage_since": self._clock.wall(), "stage_first": done}

    def _book_spend(self, event: Spend) -> None:
        self._unbooked = event
        usd = self._unstored_usd + event.usd
        self._unwritten["calls"] = self._unstored_calls + event.calls
        if usd > self._booked_usd:
            self._purse.book_spend(self._job.id, usd - self._booked_usd)
            self._booked_usd = usd
            self.flush()
        if event.unconfirmed_usd > self._unconfirmed_usd:
            self._purse.book_unconfirmed(self._job.id, event.unconfirmed_usd)
            self._unconfirmed_usd = event.unconfirmed_usd
        self._unbooked = None
