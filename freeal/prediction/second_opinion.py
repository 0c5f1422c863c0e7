"""What a language model is asked about rows below a model's promise, and what comes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from freeal.prediction.row_windows import Window

ASKED = "asked"
"""Behind `below_promise`: the language model was asked, and the label is its."""
SOURCE_COLUMN = "freeal_source"


@dataclasses.dataclass(frozen=True, slots=True)
class AskedRow:
    """A text below the promise, the cells of its row by text column, and what the student says of it."""

    text: str
    values: Mapping[str, str]
    student_label: str


@dataclasses.dataclass(frozen=True, slots=True)
class Opinion:
    """What came of asking: a label (None where none came), ASKED or why there is none, and how sure of it the language
    model said it was. `branch` is what it named in place of a label where the labels are a tree."""

    label: str | None
    status: str
    confidence: float = 0.0
    branch: str | None = None


class SecondOpinion(Protocol):
    """A language model that is asked about rows below the promise."""

    def ask(self, rows: Sequence[AskedRow], go_on: Callable[[], bool]) -> list[Opinion] | None:
        """An opinion for each row, in order; None where `go_on` said no first: the same rows again go on."""

    def keep(self) -> None:
        """What was said last is about to be written: keep what comes of it; may be told twice."""

    def summary(self) -> dict[str, Any]:
        """Who was asked by this process and what all of them cost, for the summary of the table."""

    def close(self) -> None:
        """Let go of what is open; it may be asked again."""


def ask_below_promise(
    second: SecondOpinion,
    window: Window,
    kept: np.ndarray,
    columns: Sequence[tuple[str, int]],
    *,
    said: Sequence[str],
    go_on: Callable[[], bool],
) -> dict[int, Opinion] | None:
    """What `second` says of the texts of a window that are not `kept`, bool [texts], by place; None where `go_on` said
    no first. `columns` are name and position of the text columns, `said` is the student's label of each text."""
    first = dict(zip(window.places.tolist()[::-1], window.rows[::-1], strict=True))
    rows = {
        place: AskedRow(window.texts[place], {name: first[place][at] for name, at in columns}, said[place])
        for place in np.flatnonzero(~kept).tolist()
    }
    opinions = second.ask(list(rows.values()), go_on)
    return None if opinions is None else dict(zip(rows, opinions, strict=True))
