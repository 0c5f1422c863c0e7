"""Single rows labelled in memory, for whoever waits for the answer; tables are labelled by predict_csv.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freeal.prediction.promised_labels import BELOW, KEPT, PromisedLabels
from freeal.prediction.published_model import Classifier
from freeal.prediction.window_scoring import Scores
from freeal.text.row_text import row_text
from freeal.types import Status


@dataclasses.dataclass(frozen=True, slots=True)
class PredictedRow:
    """`label` is None where the row has no text, or the model's promise leaves it without; `probabilities` are by label
    and empty without a text. `status`: `ok`, `empty_text`, `below_promise`; `student_truncated` where the model read a
    part of the text only. Where a text may have several, `labels` are they, and `label` the same joined. `node` is, of
    labels that are a tree, the deepest node that is probable enough and its probability, both None where there is no
    label; None for other labels."""

    label: str | None
    confidence: float | None
    probabilities: dict[str, float]
    status: str
    labels: tuple[str, ...] | None = None
    node: tuple[str | None, float | None] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `node` and `node_confidence` only of labels that are a tree, `labels` only where there may be
        several."""
        found: dict[str, Any] = {"label": self.label, "confidence": self.confidence}
        if self.node is not None:
            found |= {"node": self.node[0], "node_confidence": self.node[1]}
        found |= {"probabilities": self.probabilities, "status": self.status}
        return found if self.labels is None else found | {"labels": self.labels}


def predict_rows(classifier: Classifier, rows: Sequence[Mapping[str, str]]) -> list[PredictedRow]:
    """What the model says of each row (text column -> value), in order. Raises `CorruptModelError` for a promise that
    makes no sense."""
    student = classifier.student
    promised = PromisedLabels.of(classifier.extra, student.labels)
    texts = [row_text(tuple(row), tuple(row.values())) for row in rows]
    distinct = list(dict.fromkeys(text for text in texts if text))
    back_off = classifier.back_off
    no_node = None if back_off is None else (None, None)
    found = {"": PredictedRow(None, None, {}, str(Status.EMPTY_TEXT), node=no_node)}
    if distinct:
        tokens = student.read(distinct)
        cut = np.array([one.cut for one in tokens])
        scores = Scores(student.score(tokens), cut, classifier.kind, classifier.thresholds)
        kept = np.ones(len(distinct), dtype=bool)
        if promised is not None:
            kept = promised.keeps(scores.chosen, scores.confidence)
        for place, text in enumerate(distinct):
            found[text] = _predicted_row(scores, place, student.labels, is_kept=bool(kept[place]))
        if back_off is not None:
            names, shares = back_off.nodes(scores.proba)
            for text, name, share, is_kept in zip(distinct, names, shares.tolist(), kept, strict=True):
                found[text] = dataclasses.replace(found[text], node=(name, share) if is_kept else no_node)
    return [found[text] for text in texts]


def _predicted_row(scores: Scores, place: int, labels: Sequence[str], *, is_kept: bool) -> PredictedRow:
    status = str(Status.STUDENT_TRUNCATED) if scores.cut[place] else KEPT
    return PredictedRow(
        scores.label(place, labels) if is_kept else None,
        float(scores.confidence[place]),
        {label: float(share) for label, share in zip(labels, scores.proba[place], strict=True)},
        status if is_kept else BELOW,
        tuple(scores.names(place, labels)) if scores.kind == "multi" else None,
    )
