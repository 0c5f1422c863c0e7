"""What a run has come to so far: the figures of its summary, in a form that a checkpoint can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from freeal.prediction.promised_labels import PromisedLabels
from freeal.prediction.row_windows import NO_TEXT, Window
from freeal.prediction.second_opinion import Opinion
from freeal.prediction.text_profile import DIMENSIONS, text_vectors
from freeal.prediction.window_scoring import Scores
from freeal.types import Kind

COMPARED_ROWS = 2_000
"""Rows whose texts are compared with the training texts, spread evenly over the table: more would find differences too
small to matter, and cost time."""
_NONE: Mapping[int, Opinion] = MappingProxyType({})
_STRIDE, _CYCLE = 2_654_435_761, 2**32
"""Multiplying by this (Knuth's multiplicative hash) spreads row numbers evenly, whatever period the table has."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over the rows written so far. `line` is where the last of them begins; `counts` is by the label given, of
    texts that may have several (`kind`) by each of them; `below` counts rows that the model's promise leaves without
    one, `asked` those that then have one of the language model; `compared` rows have their vectors summed in
    `vector_sum`; `no_rows` counts those that repeat the header or hold a survey's ids."""

    labels: tuple[str, ...]
    kind: Kind = "single"
    rows: int = 0
    line: int = 1
    empty: int = 0
    below: int = 0
    asked: int = 0
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

    def add_window(
        self,
        window: Window,
        scores: Scores,
        *,
        longest: int | None,
        total_rows: int,
        promised: PromisedLabels | None = None,
        opinions: Mapping[int, Opinion] = _NONE,
    ) -> None:
        """Count a window in. `longest` is the longest training text, in characters; `total_rows` an estimate;
        `opinions` are those of the language model, by place."""
        places = window.places[window.places != NO_TEXT]
        kept = np.ones(len(scores.proba), dtype=bool)
        if promised is not None:
            kept = promised.keeps(scores.chosen, scores.confidence)
        counts = (scores.members & kept[:, None])[places].sum(axis=0)
        said = {place: one.label for place, one in opinions.items() if one.label is not None}
        has_said = np.isin(places, list(said))
        for place in places[has_said].tolist():
            counts[self.labels.index(said[place])] += 1
        self.asked += int(has_said.sum())
        self.below += int((~kept[places] & ~has_said).sum())
        self.counts = [before + int(now) for before, now in zip(self.counts, counts, strict=True)]
        self.confidence += float(scores.confidence[places].sum(dtype=np.float64)) if len(places) else 0.0
        self.cut += int(scores.cut[places].sum())
        if longest is not None:
            self.longer += int((np.array([len(text) for text in window.texts], dtype=np.int64)[places] > longest).sum())
        self._add_text_vectors(window, total_rows)
        self.empty += len(window.rows) - len(places)
        self.rows += len(window.rows)
        self.line = window.line

    def _add_text_vectors(self, window: Window, total_rows: int) -> None:
        numbers = np.arange(self.rows, self.rows + len(window.rows), dtype=np.uint64)
        share = min(1.0, COMPARED_ROWS / max(1, total_rows))
        chosen = (numbers * _STRIDE % _CYCLE < share * _CYCLE) & (window.places != NO_TEXT)
        if chosen.any():
            texts = [window.texts[place] for place in window.places[chosen]]
            self.compared += len(texts)
            self.vector_sum = [float(v) for v in np.array(self.vector_sum) + text_vectors(texts).sum(axis=0)]

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
        below |= {"asked": self.asked} if self.asked else {}
        return below | {
            "rows": self.rows,
            "empty_text": self.empty,
            "truncated": self.cut,
            "label_counts": dict(zip(self.labels, self.counts, strict=True)),
            "mean_confidence": round(self.confidence / self.with_text, 4) if self.with_text else None,
        }
