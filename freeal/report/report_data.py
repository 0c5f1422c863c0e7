"""Everything the report shows, as plain data: figures in words, numbers of the pictures, rows of the tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from freeal.report.report_headline import Headline

Facts = tuple[tuple[str, str], ...]
"""(what, value) pairs, in the order they are shown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Advice:
    """Something to look at: what, and the id of the section that shows it."""

    text: str
    section: str


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table of texts. `numeric` are the positions of columns with numbers."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One quantity per round, None where it is not known."""

    name: str
    values: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """How the rounds went. `measure` says of what the lines are shares; `levels` are constants beside them."""

    measure: str
    rounds: tuple[int, ...]
    lines: tuple[Line, ...]
    levels: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Shares:
    """Counts per label, one bar per (who, counts)."""

    labels: tuple[str, ...]
    bars: tuple[tuple[str, tuple[int, ...]], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Histogram:
    """Stacked counts of `unit`s (rows or texts) between `edges`; `mark` is a value worth a line, with what it is."""

    what: str
    unit: str
    edges: tuple[float, ...]
    series: tuple[tuple[str, tuple[int, ...]], ...]
    mark: float | None = None
    mark_name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]`: rows to which `down` gave label i and `across` label j; the last label may stand for several, so
    `agreed`, the rows to which both gave the same, is not always the diagonal."""

    down: str
    across: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    agreed: int
    grouped: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """Rows of like confidence: how sure, how many right, with the interval of that share, how many there are."""

    confidence: float
    right: float
    low: float
    high: float
    rows: int


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """What labelling only the surest would give: (share labelled, expected accuracy, true one or None) points.

    `chosen` is the share that is labelled, `threshold` the confidence from which on.
    """

    points: tuple[tuple[float, float, float | None], ...]
    chosen: float
    threshold: float


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """A text on the map: where, its label's position (None: no label), whether it is a demonstration."""

    x: float
    y: float
    label: int | None
    demonstration: bool
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class TextMap:
    """Texts in the two directions in which the student's embeddings differ most; `explained` is their part of the
    variance, `of` the number of texts the points were taken from."""

    points: tuple[Point, ...]
    labels: tuple[str, ...]
    explained: float
    of: int


@dataclasses.dataclass(frozen=True, slots=True)
class Spending:
    """Per round and outside of the rounds: (name, input tokens, output tokens, US dollars)."""

    bars: tuple[tuple[str, int, int, float], ...]
    is_priced: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class ReportData:
    """One version's report. Pictures that have nothing to show are None, or empty; `certified` is metrics.json's."""

    name: str
    job: str
    finished: str
    page: str
    """Address of the model on the live page; empty where there is none."""
    headline: Headline
    task: str
    labels: Facts
    asked: Facts
    answered_by: Facts
    quality: Facts
    quality_note: str
    cost: Facts
    look_at: tuple[Advice, ...]
    scores: Scores
    shares: Shares
    losses: Histogram | None
    confusions: tuple[Confusion, ...]
    reliability: tuple[Bin, ...]
    coverage: Coverage
    confidence: Histogram
    text_map: TextMap
    spending: Spending
    rounds: Table
    annotators: Table | None
    """What each of several language models said, cost and is worth."""
    students: Table | None
    """The students that were compared before one was trained."""
    per_class: Table
    demonstrations: Table
    suspicious: Table
    wrong: Table | None
    changes: Table | None
    corrected: Table | None
    moves: Table | None
    certified: Mapping[str, Any] | None
    statuses: Table
    unanswered: Table | None
    first_prompt: str
    settings: Table
    versions: Table
