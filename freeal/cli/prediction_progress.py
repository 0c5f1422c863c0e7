"""How far a table is, on stderr: a bar on a terminal, a line per tenth elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

from freeal.events import Emit, Event, Notice, Progress


@contextlib.contextmanager
def shown_prediction_progress(stream: TextIO) -> Iterator[Emit]:
    """A listener for `predict_csv` that shows rows, rate and remaining time while the block runs."""
    if not stream.isatty():
        yield _Lines(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TextColumn("{task.fields[rate]}"))
    with Bars(*columns, TimeRemainingColumn(), console=Console(file=stream), transient=True) as bars:
        task = bars.add_task("labelling", total=None, rate="")

        def move(event: Event) -> None:
            if isinstance(event, Notice):
                bars.console.print(event.message, markup=False, highlight=False)
            if isinstance(event, Progress):
                speed = bars.tasks[0].speed
                rate = f"{speed:,.0f} rows/s" if speed else ""
                bars.update(task, completed=event.done, total=event.total or None, rate=rate)

        yield move


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tenth = 0
        self._first: tuple[float, int] | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Notice):
            print(event.message, file=self._stream, flush=True)
        if not isinstance(event, Progress) or not event.total:
            return
        now = time.monotonic()
        began, before = self._first = self._first or (now, event.done)
        tenth = 10 * event.done // event.total
        if tenth > self._tenth:
            self._tenth = tenth
            rate = (event.done - before) / max(1e-6, now - began)
            left = f", {_duration((event.total - event.done) / rate)} left" if rate and event.done < event.total else ""
            print(f"{event.done:,} of {event.total:,} rows, {rate:,.0f} rows/s{left}", file=self._stream, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
