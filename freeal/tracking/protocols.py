"""The contract between a run and any experiment tracker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

Param = str | int | float | bool


class Tracker(Protocol):
    """Hears of one run: `begin`, then `log_round` for each round, then `finish` or `fail`. Raising ends the run.

    Values are numbers and short texts, never a text of a row; of the files `card` holds the user's words and `report`
    texts of rows.
    """

    def begin(self, name: str, params: Mapping[str, Param]) -> None:
        """A run of the model `name` begins; `params` are spec and settings, by dotted key."""

    def log_round(self, number: int, metrics: Mapping[str, float]) -> None:
        """Round `number` is over; `metrics` are the numbers of its entry in metrics.json."""

    def finish(self, metrics: Mapping[str, float], artifacts: Mapping[str, Path]) -> None:
        """The run is over: the numbers of `final` and `cost`, by dotted key, and files by what they are (`card`,
        `metrics`, `report`)."""

    def fail(self, error: BaseException) -> None:
        """The run ended with an error, or was stopped."""
