"""A run told to trackers: what its events and its outcome come to, as parameters, metrics and files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from freeal.events import Emit, Event, RoundFinished
from freeal.tracking.protocols import Param, Tracker

ARTIFACTS = {"card": "model/README.md", "metrics": "metrics.json", "report": "report.html"}
"""Files of a results folder by what they are. The card holds the user's words, the report texts of rows too."""
_TOLD = ("final", "cost", "model_cost", "baselines")


class Tracked:
    """Hears of a run for several trackers: hand it every event, then its end."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)

    def listening(self, emit: Emit) -> Emit:
        """`emit`, and the trackers told of each round."""

        def told(event: Event) -> None:
            if isinstance(event, RoundFinished):
                for tracker in self._trackers:
                    tracker.log_round(event.round, numbers_of(event.metrics))
            emit(event)

        return told

    def finish(self, metrics: Mapping[str, Any], folder: Path) -> None:
        """The run is over, with metrics.json and what lies in its folder."""
        found = numbers_of({name: metrics[name] for name in _TOLD if name in metrics})
        files = {what: folder / name for what, name in ARTIFACTS.items() if (folder / name).is_file()}
        for tracker in self._trackers:
            tracker.finish(found, files)


@contextlib.contextmanager
def tracked(trackers: Sequence[Tracker], *, name: str, params: Mapping[str, Param]) -> Iterator[Tracked]:
    """A run that begins now; whoever raises within it ends it as failed."""
    begun: list[Tracker] = []
    try:
        for tracker in trackers:
            tracker.begin(name, params)
            begun.append(tracker)
        yield Tracked(begun)
    except BaseException as error:
        for tracker in begun:
            with contextlib.suppress(Exception):  # what ended the run is what is raised, and each tracker hears of it
                tracker.fail(error)
        raise


def numbers_of(content: Mapping[str, Any], *, before: str = "") -> dict[str, float]:
    """Every number in nested mappings, by dotted key; lists, texts and true or false are left out."""
    found: dict[str, float] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= numbers_of(value, before=f"{before}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{before}{key}"] = float(value)
    return found


def params_of(content: Mapping[str, Any], *, before: str = "") -> dict[str, Param]:
    """Every plain value in nested mappings, by dotted key; what is not set is left out, a list is its items in one
    text."""
    found: dict[str, Param] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= params_of(value, before=f"{before}{key}.")
        elif isinstance(value, str | int | float | bool):
            found[f"{before}{key}"] = value
        elif isinstance(value, Sequence) and value and all(isinstance(one, str | int | float) for one in value):
            found[f"{before}{key}"] = ", ".join(map(str, value))
    return found
