"""What a person sees while jobs run: bars on a terminal, log lines elsewhere."""

from __future__ import annotations

from typing import Protocol

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from daemon.jobs.job import Job, State
from freeal import events

_log = structlog.get_logger(__name__)


class View(Protocol):
    """Told of everything that happens to jobs. Never sees the text of a row."""

    def started(self, job: Job) -> None:
        """The job's process begins."""

    def event(self, job: Job, event: events.Event) -> None:
        """The job's process said something."""

    def finished(self, job: Job) -> None:
        """The job is done, failed, paused, cancelled or put back."""

    def close(self) -> None:
        """Nothing more will come."""


class LogView:
    """One log line per stage, round and notice."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[str, int]] = {}
        self._batches: dict[str, events.BatchProgress] = {}

    def started(self, job: Job) -> None:
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

    def close(self) -> None:
        """Nothing to close."""


def _flat(event: events.RoundFinished) -> dict[str, object]:
    numbers = {name: value for name, value in event.metrics.items() if isinstance(value, int | float | str)}
    return {"round": event.round} | {name: value for name, value in numbers.items() if name != "round"}


class TerminalView:
    """A bar per running job, on stderr; log lines pass above it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.fields[job]}"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[money]}"),
            console=console,
        )
        self._progress.start()
        self._bars: dict[str, TaskID] = {}
        self._lines = LogView()

    def started(self, job: Job) -> None:
        """A new bar."""
        self._bars[job.id] = self._progress.add_task("starting", total=None, job=job.name, money="")

    def event(self, job: Job, event: events.Event) -> None:
        """Move the bar; rounds and notices are lines."""
        bar = self._bars.get(job.id)
        if bar is not None and isinstance(event, events.Progress):
            text = f"round {event.round}, {event.stage}" if event.round else event.stage
            self._progress.update(bar, description=text, completed=event.done, total=event.total or None)
        elif bar is not None and isinstance(event, events.Spend):
            self._progress.update(bar, money=f"${job.usd + event.usd:.4f}")
        elif bar is not None and isinstance(event, events.BatchProgress):
            self._progress.update(
                bar, description="waiting for a batch", completed=event.answered, total=event.requests
            )
        else:
            self._lines.event(job, event)

    def finished(self, job: Job) -> None:
        """Take the bar away and say how it went."""
        if (bar := self._bars.pop(job.id, None)) is not None:
            self._progress.remove_task(bar)
        self._lines.finished(job)

    def close(self) -> None:
        """Give the terminal back."""
        self._progress.stop()
