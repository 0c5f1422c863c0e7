"""What a run has come to so far: the figures of its summary, in a form that a checkpoint can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.prediction.promised_labels import BELOW, KEPT, STATUS_COLUMN, PromisedLabels
from freeal.prediction.row_windows import NO_TEXT, Window
from freeal.prediction.text_profile import DIMENSIONS, vectors
from freeal.prediction.window_scoring import Scores
from freeal.types import Status

COMPARED_ROWS = 2_000
"""Rows whose texts are compared with the training texts, spread evenly over the table: more would find differences too
small to matter, and cost time."""
_STRIDE, _CYCLE = 2_654_435_761, 2**32
"""Multiplying by this (Knuth's multiplicative hash) spreads row numbers evenly, whatever period the table has."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over the rows written so far. `line` is where the last of them begins; `counts` is by the label given;
    `below` counts rows that the model's promise leaves without one; `compared` rows have their vectors summed in
    `vector_sum`; `no_rows` counts those that repeat the header or hold a survey's ids."""

    labels: tuple[str, ...]
    rows: int = 0
    line: int = 1
    empty: int = 0
    below: int = 0
    cut: int = 0
    longer: int = 0
    no_rows: int = 0
    confidence: float = 0.0
    compared: int = 0
    counts: list[int] = dataclasses.field(default_factory=list)
    vector_sum: list[float] = dataclasses.field(default_factory=lambda: [0.0] * DIMENSIONS)

    def __post_init__(self) -> None:
        self.labels = tuple(self.labels)
        self.counts = self.counts or [0] * len(self.labels)

    def add(
        self,
        window: Window,
        scores: Scores,
        *,
        longest: int | None,
        total_rows: int,
        promised: PromisedLabels | None = None,
    ) -> None:
        """Count a window in. `longest` is the longest training text, in characters; `total_rows` an estimate."""
        places = window.places[window.places != NO_TEXT]
        best = scores.chosen
        kept = np.ones(len(best), dtype=bool) if promised is None else promised.keeps(best, scores.confidence)
        counts = np.bincount(best[places][kept[places]], minlength=len(self.labels))
        self.below += int((~kept[places]).sum())
        self.counts = [before + int(now) for before, now in zip(self.counts, counts, strict=True)]
        self.confidence += float(scores.confidence[places].sum(dtype=np.float64)) if len(places) else 0.0
        self.cut += int(scores.cut[places].sum())
        if longest is not None:
            self.longer += int((np.array([len(text) for text in window.texts], dtype=np.int64)[places] > longest).sum())
        self._compare(window, total_rows)
        self.empty += len(window.rows) - len(places)
        self.rows += len(window.rows)
        self.line = window.line

    def _compare(self, window: Window, total_rows: int) -> None:
        numbers = np.arange(self.rows, self.rows + len(window.rows), dtype=np.uint64)
        share = min(1.0, COMPARED_ROWS / max(1, total_rows))
        chosen = (numbers * _STRIDE % _CYCLE < share * _CYCLE) & (window.places != NO_TEXT)
        if chosen.any():
            texts = [window.texts[place] for place in window.places[chosen]]
            self.compared += len(texts)
            self.vector_sum = [float(v) for v in np.array(self.vector_sum) + vectors(texts).sum(axis=0)]

    @property
    def with_text(self) -> int:
        """Rows that have a label."""
        return self.rows - self.empty

    def as_dict(self) -> dict[str, Any]:
        """For the checkpoint; `Tally(**...)` is the same again."""
        return dataclasses.asdict(self)

    def summary(self) -> dict[str, Any]:
        """The part of the summary that is counted."""
        below = {"below_promise": self.below} if self.below else {}
        return below | {
            "rows": self.rows,
            "empty_text": self.empty,
            "truncated": self.cut,
            "label_counts": dict(zip(self.labels, self.counts, strict=True)),
            "mean_confidence": round(self.confidence / self.with_text, 4) if self.with_text else None,
        }


PREDICTION_COLUMNS = {
    "freeal_row": "only in Parquet: the row's place in the input, from 0",
    "freeal_label": "the label the student gives; empty in a row without text",
    "freeal_confidence": "its probability, 0 to 1",
    "freeal_p_<label>": "the probability of each label, one column per label",
    STATUS_COLUMN: "only of a model with a promise: `ok`, `empty_text`, or `below_promise` where the label is withheld",
}
"""Our columns of a prediction, in order, each in words for a user (docs/reference/columns.md)."""


def cells(scores: Scores, place: int, labels: Sequence[str], *, promised: PromisedLabels | None = None) -> list[str]:
    """Label, confidence and probabilities of a text; all empty for NO_TEXT. Where something is `promised`, a status
    behind them, and no label below it."""
    if place == NO_TEXT:
        return [""] * (2 + len(labels)) + ([] if promised is None else [Status.EMPTY_TEXT])
    values = scores.proba[place].tolist()
    shown = [f"{value:.4f}" for value in values]
    best = int(scores.chosen[place])
    if promised is None:
        return [labels[best], shown[best], *shown]
    if promised.keeps(scores.chosen[place : place + 1], scores.confidence[place : place + 1])[0]:
        return [labels[best], shown[best], *shown, KEPT]
    return ["", shown[best], *shown, BELOW]
