"""What the rows of a prediction become, whichever form it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from freeal.prediction.row_windows import Window
from freeal.prediction.second_opinion import Opinion
from freeal.prediction.window_scoring import Scores

Pack = Callable[[Path, Path], None]
"""From what was appended, the first file, to the form that was asked for, the second."""


class OutputForm(Protocol):
    """Renders one table. What it gives is appended to a file, piece by piece."""

    @property
    def pack(self) -> Pack | None:
        """What makes the output of that file; None where it is the output."""

    def header(self) -> bytes:
        """What stands before all rows."""

    def window(self, window: Window, scores: Scores, opinions: Mapping[int, Opinion], *, first_row: int) -> bytes:
        """The next rows, the first of which is row `first_row` of the table (0 is the first one); `opinions` are those
        of the language model, by place."""
