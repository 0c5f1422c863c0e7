"""What the commands that train say while they work: one bar on a terminal, lines elsewhere. All of it on stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from freeal.events import BatchProgress, Emit, Event, Notice, Progress, RoundFinished, Spend, Waiting
from freeal.report.number_format import duration
from freeal.text.printable_text import visible

EXIT_OK, EXIT_FAILED, EXIT_BUDGET, EXIT_CONFIG = 0, 1, 3, 78
"""What the commands end with."""

_TOLD_OF_A_ROUND = ("clean", "agreement", "llm_accuracy", "student_accuracy")


@contextlib.contextmanager
def shown_training_progress(stream: TextIO) -> Iterator[Emit]:
    """A listener that shows what happens while the block runs."""
    if not stream.isatty():
        yield Lines(lambda line: print(line, file=stream, flush=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(file=stream)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[money]}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _Bar(bars, Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)))


class Lines:
    """A line per stage of a round, per tenth of a stage, per round and per notice."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` takes one line."""
        self._say = say
        self._last: tuple[str, int, int] | None = None

    def __call__(self, event: Event) -> None:
        """Say what is worth a line."""
        match event:
            case Progress(stage, number, done, total) if total:
                tenth = (stage, number, 10 * done // total)
                if tenth != self._last:
                    self._last = tenth
                    self._say(f"{place(event)}{left(event, before=', ')}")
            case BatchProgress(batch, answered, requests):
                self._say(f"batch {batch}: {answered:,} of {requests:,} answered")
            case _:
                self.remark(event)

    def remark(self, event: Event) -> None:
        """Say what is no progress: a notice, a wait, the end of a round."""
        match event:
            case Notice(message):
                self._say(visible(f"note: {message}"))
            case Waiting(what):
                self._say(f"waiting for {what}")
            case RoundFinished(number, metrics):
                known = [f"{name} {metrics[name]}" for name in _TOLD_OF_A_ROUND if name in metrics]
                self._say(f"round {number} finished: {', '.join(known)}")
            case _:
                pass


class _Bar:
    """The one bar of a job: how much of the whole is done and what that leaves, its round and stage, what was paid."""

    def __init__(self, bars: Any, lines: Lines) -> None:
        self._bars = bars
        self._lines = lines
        self._task = bars.add_task("starting", total=None, left="", money="")

    def __call__(self, event: Event) -> None:
        match event:
            case Progress(overall=overall):
                whole = None if overall is None else 1.0
                self._bars.update(
                    self._task, description=place(event), total=whole, completed=overall or 0.0, left=left(event)
                )
            case BatchProgress(_, answered, requests):
                waiting = f"waiting for a batch: {answered:,} of {requests:,} answered"
                self._bars.update(self._task, description=waiting)
            case Spend(usd=usd):
                self._bars.update(self._task, money=f"${usd:.4f}" if usd else "")
            case _:
                self._lines.remark(event)


def place(at: Progress) -> str:
    """Where a job is, in words: `round 1 of 3, training: 120 of 960 texts`."""
    rounds = f" of {at.rounds}" if at.rounds else ""
    where = f"round {at.round}{rounds}, {at.stage}" if at.round else at.stage
    return f"{where}: {at.done:,} of {at.total:,} {at.unit}"


def left(at: Progress, *, before: str = "") -> str:
    """What the whole job will take yet, after `before`; nothing where that cannot be told."""
    return "" if at.remaining_seconds is None else f"{before}{duration(at.remaining_seconds)} left"
