"""What a person sees while jobs run: log lines here, bars on a terminal (daemon/terminal/progress_bars.py)."""

from __future__ import annotations

from typing import Protocol

import structlog

from daemon.journal.job_record import Job, State
from daemon.journal.prediction_record import Prediction
from freeal import events

_log = structlog.get_logger(__name__)


class View(Protocol):
    """Told of everything that happens to jobs. Never sees the text of a row."""

    def started(self, job: Job, *, cap_usd: float | None = None) -> None:
        """The job's process begins; `cap_usd` is all it may spend, None without a cap."""

    def event(self, job: Job, event: events.Event) -> None:
        """The job's process said something."""

    def finished(self, job: Job) -> None:
        """The job is done, failed, paused, cancelled or put back."""

    def predicting(self, prediction: Prediction, *, done: int, total: int) -> None:
        """`done` of about `total` rows of a CSV are labelled; 0 in all where that is not known."""

    def predicted(self, prediction: Prediction) -> None:
        """The CSV is labelled, or has failed."""

    def standing(self, *, running: int, waiting: int) -> None:
        """How many jobs run and how many files wait, at every look."""

    def close(self) -> None:
        """Nothing more will come."""


class LogView:
    """One log line per stage, round and notice."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[str, int]] = {}
        self._batches: dict[str, events.BatchProgress] = {}

    def started(self, job: Job, *, cap_usd: float | None = None) -> None:
        """Nothing: the runner has logged it."""

    def event(self, job: Job, event: events.Event) -> None:
        """A line where a new stage begins, a round is over, or there is something to know."""
        if isinstance(event, events.Progress):
            stage = (event.stage, event.round)
            if self._stages.get(job.id) != stage:
                self._stages[job.id] = stage
                _log.info("stage", job=job.id, stage=event.stage, round=event.round, total=event.total, unit=event.unit)
        elif isinstance(event, events.BatchProgress):
            if self._batches.get(event.batch) != event:
                self._batches[event.batch] = event
                _log.info("a batch", job=job.id, batch=event.batch, answered=event.answered, requests=event.requests)
            if event.answered == event.requests:
                self._batches.pop(event.batch)
        elif isinstance(event, events.RoundFinished):
            _log.info("a round is finished", job=job.id, **_flat(event))
        elif isinstance(event, events.Notice):
            _log.warning(event.message, job=job.id)

    def finished(self, job: Job) -> None:
        """The outcome, with its reason."""
        self._stages.pop(job.id, None)
        report = job.error or {}
        if job.state in {State.FAILED, State.CANCELLED}:
            where = " ".join(f"{name}={value}" for name, value in report.get("where", {}).items())
            _log.error(
                "a job has failed", job=job.id, problem=report.get("problem"), where=where, hint=report.get("hint")
            )
        else:
            _log.info(
                "a job's run is over", job=job.id, state=str(job.state), usd=round(job.usd, 6), partial=job.partial
            )

    def predicting(self, prediction: Prediction, *, done: int, total: int) -> None:
        """Nothing: a line per chunk would fill the log."""

    def predicted(self, prediction: Prediction) -> None:
        """Nothing: the lane has logged it."""

    def standing(self, *, running: int, waiting: int) -> None:
        """Nothing: what changes has lines of its own."""

    def close(self) -> None:
        """Nothing to close."""


def _flat(event: events.RoundFinished) -> dict[str, object]:
    numbers = {name: value for name, value in event.metrics.items() if isinstance(value, int | float | str)}
    return {"round": event.round} | {name: value for name, value in numbers.items() if name != "round"}
