"""What the rows of a prediction become, whichever form it is, and what our columns are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from freeal.prediction.promised_labels import SOURCE_COLUMN, STATUS_COLUMN, Opinion, PromisedLabels
from freeal.prediction.row_windows import Window
from freeal.prediction.window_scoring import Scores
from freeal.table import free_name
from freeal.types import Kind

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


def added_columns(
    header: Sequence[str],
    labels: Sequence[str],
    promised: PromisedLabels | None,
    *,
    may_ask: bool = False,
    kind: Kind = "single",
) -> list[str]:
    """The names of our columns, none of which is in `header`; `may_ask`: a language model, about rows below what is
    `promised`."""
    own = "freeal_labels" if kind == "multi" else "freeal_label"
    status = [] if promised is None else [STATUS_COLUMN]
    status += [SOURCE_COLUMN] if may_ask else []
    names = list(header)
    for name in (own, "freeal_confidence", *(f"freeal_p_{label}" for label in labels), *status):
        names.append(free_name(name, names))
    return names[len(header) :]
