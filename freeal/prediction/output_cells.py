"""A prediction's own columns: label, confidence and probabilities of a row."""

from __future__ import annotations

from collections.abc import Sequence

from freeal.prediction.promised_labels import BELOW, KEPT, STATUS_COLUMN, PromisedLabels
from freeal.prediction.row_windows import NO_TEXT
from freeal.prediction.window_scoring import Scores
from freeal.types import Status

PREDICTION_COLUMNS = {
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
