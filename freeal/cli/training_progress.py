"""What the commands that train say while they work: one bar on a terminal, lines elsewhere. All of it on stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from freeal.events import BatchProgress, Emit, Event, Notice, Progress, RoundFinished, Spend, Waiting
from freeal.text.printable_text import visible

EXIT_OK, EXIT_FAILED, EXIT_BUDGET, EXIT_CONFIG = 0, 1, 3, 78
"""What the commands end with."""

_TOLD_OF_A_ROUND = ("clean", "agreement", "llm_accuracy", "student_accuracy")


@contextlib.contextmanager
def shown(stream: TextIO, *, rounds: int | None = None) -> Iterator[Emit]:
    """A listener that shows what happens while the block runs; `rounds` is how many there will be at most."""
    if not stream.isatty():
        yield Lines(lambda line: print(line, file=stream, flush=True), rounds=rounds)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(file=stream)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(compact=True),
        TimeElapsedColumn(),
        TextColumn("{task.fields[money]}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        say = Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True), rounds=rounds)
        yield _Bar(bars, say, rounds=rounds)


class Lines:
    """A line per stage of a round, per tenth of a stage, per round and per notice."""

    def __init__(self, say: Callable[[str], None], *, rounds: int | None = None) -> None:
        """`say` takes one line."""
        self._say = say
        self._rounds = rounds
        self._last: tuple[str, int, int] | None = None

    def __call__(self, event: Event) -> None:
        """Say what is worth a line."""
        match event:
            case Progress(stage, number, done, total, unit) if total:
                tenth = (stage, number, 10 * done // total)
                if tenth != self._last:
                    self._last = tenth
                    self._say(f"{place(stage, number, self._rounds)}: {done:,} of {total:,} {unit}")
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
    """The one bar of a job: round, stage, what is left of it, and what was paid so far."""

    def __init__(self, bars: Any, lines: Lines, *, rounds: int | None) -> None:
        self._bars = bars
        self._lines = lines
        self._rounds = rounds
        self._task = bars.add_task("starting", total=None, unit="", money="")
        self._stage: tuple[str, int] | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case Progress(stage, number, done, total, unit):
                self._move(place(stage, number, self._rounds), done, total, unit)
            case BatchProgress(_, answered, requests):
                self._move("waiting for a batch", answered, requests, "answers")
            case Spend(usd=usd):
                self._bars.update(self._task, money=f"${usd:.4f}" if usd else "")
            case _:
                self._lines.remark(event)

    def _move(self, what: str, done: int, total: int, unit: str) -> None:
        if self._stage != (what, total):
            self._stage = (what, total)
            # the pace of the stage before says nothing of this one's; the time since the start stays
            self._bars.reset(self._task, total=total or None, start=False)
            self._bars.start_task(self._task)
        self._bars.update(self._task, completed=done, description=what, unit=unit)


def place(stage: str, number: int, rounds: int | None) -> str:
    """Where a job is, in words: `round 1 of 3, training`."""
    if not number:
        return stage
    return f"round {number} of {rounds}, {stage}" if rounds else f"round {number}, {stage}"
