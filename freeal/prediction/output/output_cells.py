"""Our columns of a prediction, and what stands in them in each row."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from freeal.aggregation.tree_nodes import BackOff
from freeal.prediction.promised_labels import BELOW, KEPT, STATUS_COLUMN, PromisedLabels
from freeal.prediction.published_model import Classifier
from freeal.prediction.second_opinion import SOURCE_COLUMN, Opinion
from freeal.prediction.window_scoring import Scores
from freeal.table import free_name
from freeal.text import label_paths
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import Kind

PREDICTION_COLUMNS = {
    "freeal_row": "only in Parquet: the row's place in the input, from 0",
    "freeal_label": "the label the student gives; empty in a row without text",
    "freeal_confidence": "its probability, 0 to 1",
    "freeal_labels": "with `kind: multi`, in place of `freeal_label`: the labels that reach their threshold, joined by "
    "`;` (within a name `\\;`), `(none)` where none does; `freeal_confidence` is the probability of exactly these",
    **TREE_MEANINGS,
    "freeal_p_<label>": "the probability of each label, one column per label",
    STATUS_COLUMN: "only of a model with a promise: `ok`, `empty_text`, or `below_promise` where the student's label "
    "is withheld; with `predict.ask_below_promise_usd` joined by `;` with `asked` where the language model gave one "
    "(no promise holds for it), or with why it did not, such as `budget`",
    SOURCE_COLUMN: "only where rows below a promise may be asked: `student`, `llm`, or empty where there is no label",
}
"""Our columns of a prediction, in order, each in words for a user (docs/reference/columns.md)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What is said of each text of a window: the label, None where none is given, and its probability, float64 [texts];
    the node of a tree (None) and its probability (nan); why, and by whom (None)."""

    label: list[str | None]
    confidence: np.ndarray
    node: list[str | None]
    node_confidence: np.ndarray
    status: list[str]
    source: list[str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class OutputColumns:
    """Our columns of the predictions of one model: `labels` of a `kind`, what is `promised` of them, how a tree names
    nodes (`back_off`), and whether a language model may be asked about rows below the promise (`may_ask`)."""

    labels: tuple[str, ...]
    kind: Kind = "single"
    promised: PromisedLabels | None = None
    back_off: BackOff | None = None
    may_ask: bool = False

    @classmethod
    def of(cls, classifier: Classifier, *, may_ask: bool) -> Self:
        """Those of a model. Raises `CorruptModelError` for a promise or `back_off` that makes no sense."""
        labels = classifier.student.labels
        promised = PromisedLabels.of(classifier.extra, labels)
        return cls(labels, classifier.kind, promised, classifier.back_off, may_ask and promised is not None)

    @property
    def names(self) -> list[str]:
        """The names of our columns, in order."""
        return [
            "freeal_labels" if self.kind == "multi" else "freeal_label",
            "freeal_confidence",
            *([] if self.back_off is None else TREE_MEANINGS),
            *(f"freeal_p_{label}" for label in self.labels),
            *([] if self.promised is None else [STATUS_COLUMN]),
            *([SOURCE_COLUMN] if self.may_ask else []),
        ]

    def names_behind(self, header: Sequence[str]) -> list[str]:
        """The same, each under a name that `header` does not have."""
        names = list(header)
        for name in self.names:
            names.append(free_name(name, names))
        return names[len(header) :]

    def cells_of_window(self, scores: Scores, opinions: Mapping[int, Opinion]) -> Said:
        """Of each text of a window, by place; `opinions` of the language model are by place too."""
        count = len(scores.proba)
        found = Said(
            [scores.label(place, self.labels) for place in range(count)]
            if self.kind == "multi"
            else [self.labels[best] for best in scores.chosen.tolist()],
            np.array(scores.confidence, dtype=np.float64),
            [None] * count,
            np.full(count, np.nan),
            [KEPT] * count,
            ["student"] * count,
        )
        if self.back_off is not None:
            found.node[:], found.node_confidence[:] = self.back_off.nodes(scores.proba)
        if self.promised is not None:
            for place in np.flatnonzero(~self.promised.keeps(scores.chosen, scores.confidence)).tolist():
                found.label[place] = found.node[place] = found.source[place] = None
                found.node_confidence[place], found.status[place] = np.nan, BELOW
        for place, opinion in opinions.items() if self.may_ask else ():
            self._fill_in_opinion(found, place, opinion, scores.proba[place])
        return found

    def _fill_in_opinion(self, found: Said, place: int, opinion: Opinion, proba: np.ndarray) -> None:
        """Of a text below the promise that the language model was asked about. The confidence is what the student
        gives the label or node: it is measured, the language model's own is not."""
        found.status[place] = f"{BELOW};{opinion.status}"
        node = opinion.label or opinion.branch
        if node is None:
            return
        found.source[place] = "llm"
        if opinion.label is not None:
            found.label[place], found.confidence[place] = opinion.label, proba[self.labels.index(opinion.label)]
        if self.back_off is not None:
            below = [label_paths.is_below(label, node) for label in self.labels]
            found.node[place], found.node_confidence[place] = node, min(1.0, float(proba[below].sum()))
