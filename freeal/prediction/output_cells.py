"""Our columns of a prediction, and what stands in them in each row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from freeal.aggregation.tree_nodes import BackOff
from freeal.prediction.promised_labels import BELOW, KEPT, SOURCE_COLUMN, STATUS_COLUMN, Opinion, PromisedLabels
from freeal.prediction.published_model import Classifier
from freeal.prediction.row_windows import NO_TEXT
from freeal.prediction.window_scoring import Scores
from freeal.text import label_paths
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import Kind, Status

PREDICTION_COLUMNS = {
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
        """In order."""
        return [
            "freeal_labels" if self.kind == "multi" else "freeal_label",
            "freeal_confidence",
            *([] if self.back_off is None else TREE_MEANINGS),
            *(f"freeal_p_{label}" for label in self.labels),
            *([] if self.promised is None else [STATUS_COLUMN]),
            *([SOURCE_COLUMN] if self.may_ask else []),
        ]

    def rows(self, scores: Scores, places: Iterable[int], opinions: Mapping[int, Opinion]) -> Iterator[list[str]]:
        """The cells of each row of a window. `places` are those of the rows' texts in `scores`, NO_TEXT for none;
        `opinions` of the language model are by place."""
        nodes = None if self.back_off is None else self.back_off.nodes(scores.proba)
        for place in places:
            if place == NO_TEXT:
                yield self._in_order("", "", ("", ""), [""] * len(self.labels), [str(Status.EMPTY_TEXT), ""])
                continue
            node = ("", "") if nodes is None else (nodes[0][place], f"{nodes[1][place]:.4f}")
            yield self._cells(scores, place, node, opinions.get(place))

    def _cells(self, scores: Scores, place: int, node: tuple[str, str], opinion: Opinion | None) -> list[str]:
        shown = [f"{value:.4f}" for value in scores.proba[place].tolist()]
        if self.kind == "multi":
            sure = f"{float(scores.confidence[place]):.4f}"
            return self._in_order(scores.label(place, self.labels), sure, node, shown, [KEPT, "student"])
        best = int(scores.chosen[place])
        label, sure = self.labels[best], shown[best]
        one = slice(place, place + 1)
        if self.promised is None or self.promised.keeps(scores.chosen[one], scores.confidence[one])[0]:
            return self._in_order(label, sure, node, shown, [KEPT, "student"])
        if opinion is None:
            return self._in_order("", sure, ("", ""), shown, [BELOW, ""])
        return self._asked(scores, place, opinion, shown)

    def _asked(self, scores: Scores, place: int, opinion: Opinion, shown: list[str]) -> list[str]:
        """Those of a text below the promise that the language model was asked about. The confidence is what the student
        gives the label or node: it is measured, the language model's own is not."""
        status = f"{BELOW};{opinion.status}"
        sure = shown[int(scores.chosen[place])]
        if opinion.label is not None:
            sure = shown[self.labels.index(opinion.label)]
            return self._in_order(opinion.label, sure, (opinion.label, sure), shown, [status, "llm"])
        if opinion.branch is not None:
            below = [label_paths.is_below(label, opinion.branch) for label in self.labels]
            node = (opinion.branch, f"{min(1.0, float(scores.proba[place][below].sum())):.4f}")
            return self._in_order("", sure, node, shown, [status, "llm"])
        return self._in_order("", sure, ("", ""), shown, [status, ""])

    def _in_order(self, label: str, sure: str, node: tuple[str, str], shown: list[str], told: list[str]) -> list[str]:
        """`told` are status and source, which not every model has."""
        told = told[: (self.promised is not None) + self.may_ask]
        return [label, sure, *(() if self.back_off is None else node), *shown, *told]
