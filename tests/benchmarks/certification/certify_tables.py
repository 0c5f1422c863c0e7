"""The table of `make bench-certify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import sections

if TYPE_CHECKING:
    from certify import Counted, Sheets

SECTION = "certify"
COLUMNS = (
    "file",
    "rows drawn",
    "accuracy",
    "interval held",
    "width",
    "by chance: held",
    "width",
    "width saved",
    "per label: held",
    "width",
    "per source: held",
    "width",
)


def line(one: Sheets) -> str:
    """One row of the table."""
    ours, exact = one.ours, one.exact
    cells = (
        one.file,
        str(one.rows),
        _percent(one.accuracy),
        _held(ours),
        _points(ours),
        _held(exact),
        _points(exact),
        _percent(1 - (ours.width / ours.drawn) / (exact.width / exact.drawn)),
        _held(one.per_label),
        _points(one.per_label),
        _held(one.per_source),
        _points(one.per_source),
    )
    return f"| {' | '.join(cells)} |"


def table(found: Sequence[Sheets], *, draws: int) -> str:
    """The whole table, with what it says."""
    head = [f"| {' | '.join(COLUMNS)} |", f"| {' | '.join(['---'] * len(COLUMNS))} |"]
    powered = sum(one.ppi for one in found) / sum(one.ours.drawn for one in found)
    note = (
        f"{draws:,} sheets for each line; prediction-powered in {_percent(powered)} of them. Widths are means, in "
        "points; beside ours stands Clopper and Pearson's interval of as many rows drawn by chance alone."
    )
    return "\n".join([*head, *(line(one) for one in found), "", note])


def write(path: Path, text: str) -> None:
    """Put it into its section of a file."""
    sections.replace(path, SECTION, text)


def _held(counted: Counted) -> str:
    return _percent(counted.held / counted.drawn)


def _points(counted: Counted) -> str:
    return f"{counted.width / counted.drawn * 100:.1f}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"
