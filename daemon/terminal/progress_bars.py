"""The live view of `--once` on a terminal: a line per job and per CSV being labelled, and how things stand below."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.text import Text

from daemon.journal.job_record import Job
from daemon.journal.prediction_record import Prediction
from daemon.terminal.progress_view import LogView
from freeal import events


class TerminalView:
    """Bars on stderr; log lines pass above them."""

    def __init__(self, console: Console, *, seconds: Callable[[], float] = time.monotonic) -> None:
        """`seconds` tells the time, for rates."""
        self._progress = Progress(
            TextColumn("{task.fields[what]}", style="bold", markup=False),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            _Rate(),
            Remaining(compact=True),
            TextColumn("{task.fields[money]}"),
            console=console,
            get_time=seconds,
        )
        self._standing = Text("")
        self._live = Live(Group(self._progress, self._standing), console=console, transient=True, refresh_per_second=4)
        self._live.start()
        self._bars: dict[str, TaskID] = {}
        self._caps_usd: dict[str, float | None] = {}
        self._stages: dict[str, tuple[str, int]] = {}
        self._lines = LogView()

    def started(self, job: Job, *, cap_usd: float | None = None) -> None:
        """A new line."""
        self._caps_usd[job.id] = cap_usd
        self._bars[job.id] = self._progress.add_task("starting", total=None, what=job.name, money="", unit="")

    def event(self, job: Job, event: events.Event) -> None:
        """Move the bar; rounds and notices are lines."""
        bar = self._bars.get(job.id)
        if bar is not None and isinstance(event, events.Progress):
            self._stage(job, bar, event)
        elif bar is not None and isinstance(event, events.Spend):
            self._progress.update(bar, money=_money(event.usd, self._caps_usd.get(job.id)))
        elif bar is not None and isinstance(event, events.BatchProgress):
            stage = events.Progress("annotating", 0, event.answered, event.requests, "answers")
            self._stage(job, bar, stage, text="waiting for a batch")
        else:
            self._lines.event(job, event)

    def _stage(self, job: Job, bar: TaskID, event: events.Progress, *, text: str | None = None) -> None:
        text = text or (f"round {event.round}, {event.stage}" if event.round else event.stage)
        if self._stages.get(job.id) != (text, event.total):
            self._stages[job.id] = (text, event.total)
            # the rate of the stage before says nothing of this one's
            self._progress.reset(bar, total=event.total)
        self._progress.update(bar, completed=event.done, description=text, unit=event.unit)

    def finished(self, job: Job) -> None:
        """Take the line away and say how it went."""
        self._remove(job.id)
        self._lines.finished(job)

    def predicting(self, prediction: Prediction, *, done: int, total: int) -> None:
        """A line from the first chunk on."""
        if prediction.id not in self._bars:
            self._bars[prediction.id] = self._progress.add_task(
                f"labelling {prediction.csv_name}", total=total or None, what=prediction.model, money="", unit="rows"
            )
        self._progress.update(self._bars[prediction.id], completed=done, total=total or None)

    def predicted(self, prediction: Prediction) -> None:
        """Take the line away; the lane has logged the outcome."""
        self._remove(prediction.id)

    def _remove(self, identity: str) -> None:
        self._caps_usd.pop(identity, None)
        self._stages.pop(identity, None)
        if (bar := self._bars.pop(identity, None)) is not None:
            self._progress.remove_task(bar)

    def standing(self, *, running: int, waiting: int) -> None:
        """The last line."""
        files = "file waits" if waiting == 1 else "files wait"
        self._standing.plain = f"{running} running, {waiting} {files}. Ctrl-C stops; what is finished is kept"
        self._standing.stylize("dim")

    def rate(self, identity: str) -> float | None:
        """Steps per second of a job's stage, or of a prediction; None while it cannot be told."""
        return next((task.speed for task in self._progress.tasks if task.id == self._bars.get(identity)), None)

    def refresh(self) -> None:
        """Draw now."""
        self._live.refresh()

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


class _Rate(ProgressColumn):
    """`27 rows/s`, once there is something to tell it from."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        if speed is None or task.finished:
            return Text("")
        shown = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
        return Text(f"{shown} {task.fields['unit']}/s")


def _money(usd: float, cap_usd: float | None) -> str:
    return f"${usd:.4f}" + (f" of ${cap_usd:.2f}" if cap_usd is not None else "")
