"""The live view of `--once` on a terminal: a line per job and per CSV being labelled, and how things stand below."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from daemon.journal.job_record import Job
from daemon.journal.prediction_record import Prediction
from daemon.terminal.duration_words import duration
from daemon.terminal.progress_log import LogView
from daemon.terminal.stage_words import stage_in_words
from freeal import events


class TerminalView:
    """Bars on stderr; log lines pass above them."""

    def __init__(self, console: Console, *, seconds: Callable[[], float] = time.monotonic) -> None:
        """`seconds` tells the time, for rates."""
        self._progress = Progress(
            TextColumn("{task.fields[what]}", style="bold", markup=False),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[measure]}"),
            _Left(seconds),
            TextColumn("{task.fields[money]}"),
            console=console,
            get_time=seconds,
        )
        self._seconds = seconds
        self._standing = Text("")
        self._live = Live(Group(self._progress, self._standing), console=console, transient=True, refresh_per_second=4)
        self._live.start()
        self._bars: dict[str, TaskID] = {}
        self._caps_usd: dict[str, float | None] = {}
        self._lines = LogView()

    def started(self, job: Job, *, cap_usd: float | None = None) -> None:
        """A bar for a job that begins."""
        self._caps_usd[job.id] = cap_usd
        self._bars[job.id] = self._progress.add_task(
            "starting", total=None, what=job.name, money="", measure="", ends_at=None
        )

    def event(self, job: Job, event: events.Event) -> None:
        """Move the bar; rounds and notices are lines."""
        bar = self._bars.get(job.id)
        if bar is not None and isinstance(event, events.Progress):
            self._move_bar(bar, event)
        elif bar is not None and isinstance(event, events.Spend):
            self._progress.update(bar, money=_money(event.usd, self._caps_usd.get(job.id)))
        elif bar is not None and isinstance(event, events.BatchProgress):
            measure = f"{event.answered}/{event.requests} answers"
            self._progress.update(bar, description="waiting for a batch", measure=measure, ends_at=None)
        else:
            self._lines.event(job, event)

    def _move_bar(self, bar: TaskID, event: events.Progress) -> None:
        """The bar is of the whole job where that can be told; the stage stands beside it."""
        left = event.remaining_seconds
        self._progress.update(
            bar,
            total=None if event.overall is None else 1.0,
            completed=event.overall or 0.0,
            description=stage_in_words(event.stage, round_number=event.round, rounds=event.rounds),
            measure=f"{event.done}/{event.total} {event.unit}",
            ends_at=None if left is None else self._seconds() + left,
        )

    def finished(self, job: Job) -> None:
        """Take the line away and say how it went."""
        self._remove(job.id)
        self._lines.finished(job)

    def predicting(self, prediction: Prediction, *, done: int, total: int) -> None:
        """A line from the first chunk on."""
        if prediction.id not in self._bars:
            self._bars[prediction.id] = self._progress.add_task(
                f"labelling {prediction.csv_name}",
                total=None,
                what=prediction.model,
                money="",
                measure="",
                ends_at=None,
            )
        bar = self._bars[prediction.id]
        self._progress.update(bar, completed=done, total=total or None, measure=f"{done}/{total} rows")
        speed = next(task.speed for task in self._progress.tasks if task.id == bar)
        if speed and total:
            self._progress.update(bar, ends_at=self._seconds() + max(0, total - done) / speed)

    def predicted(self, prediction: Prediction) -> None:
        """Take the line away; the lane has logged the outcome."""
        self._remove(prediction.id)

    def _remove(self, identity: str) -> None:
        self._caps_usd.pop(identity, None)
        if (bar := self._bars.pop(identity, None)) is not None:
            self._progress.remove_task(bar)

    def standing(self, *, running: int, waiting: int) -> None:
        """The last line."""
        files = "file waits" if waiting == 1 else "files wait"
        self._standing.plain = f"{running} running, {waiting} {files}. Ctrl-C stops; what is finished is kept"
        self._standing.stylize("dim")

    def refresh(self) -> None:
        """Draw now."""
        self._live.refresh()

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


class _Left(ProgressColumn):
    """`4 min left`, counting down between two events."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds

    def render(self, task: Task) -> Text:
        ends_at = task.fields["ends_at"]
        return Text("" if ends_at is None else f"{duration(max(0.0, ends_at - self._seconds()))} left")


def _money(usd: float, cap_usd: float | None) -> str:
    return f"${usd:.4f}" + (f" of ${cap_usd:.2f}" if cap_usd is not None else "")
