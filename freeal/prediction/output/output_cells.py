"""A prediction's own columns: label, confidence and probabilities of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from freeal.prediction.promised_labels import BELOW, KEPT, SOURCE_COLUMN, STATUS_COLUMN, Opinion, PromisedLabels
from freeal.prediction.row_windows import NO_TEXT
from freeal.prediction.window_scoring import Scores
from freeal.types import Status

PREDICTION_COLUMNS = {
    "freeal_row": "only in Parquet: the row's place in the input, from 0",
    "freeal_label": "the label the student gives; empty in a row without text",
    "freeal_confidence": "its probability, 0 to 1",
    "freeal_labels": "with `kind: multi`, in place of `freeal_label`: the labels that reach their threshold, joined by "
    "`;` (within a name `\\;`), `(none)` where none does; `freeal_confidence` is the probability of exactly these",
    "freeal_p_<label>": "the probability of each label, one column per label",
    STATUS_COLUMN: "only of a model with a promise: `ok`, `empty_text`, or `below_promise` where the student's label "
    "is withheld; with `predict.ask_below_promise_usd` joined by `;` with `asked` where the language model gave one "
    "(no promise holds for it), or with why it did not, such as `budget`",
    SOURCE_COLUMN: "only where rows below a promise may be asked: `student`, `llm`, or empty where there is no label",
}
"""Our columns of a prediction, in order, each in words for a user (docs/reference/columns.md)."""


def row_cells(
    scores: Scores,
    place: int,
    labels: Sequence[str],
    *,
    promised: PromisedLabels | None,
    opinions: Mapping[int, Opinion] | None,
) -> list[str]:
    """All of ours in a row. `opinions` of the language model by place; None where it may not be asked."""
    if opinions is None:
        return cells(scores, place, labels, promised=promised)
    if (said := opinions.get(place)) is not None:
        return _asked_cells(scores, place, labels, said)
    found = cells(scores, place, labels, promised=promised)
    return [*found, "student" if found[0] else ""]


def _asked_cells(scores: Scores, place: int, labels: Sequence[str], opinion: Opinion) -> list[str]:
    """Those of a text below the promise that the language model was asked about, source included. The confidence is
    what the student gives the label: it is measured, the language model's own is not."""
    shown = [f"{value:.4f}" for value in scores.proba[place].tolist()]
    status = f"{BELOW};{opinion.status}"
    if opinion.label is None:
        return ["", shown[int(scores.chosen[place])], *shown, status, ""]
    return [opinion.label, shown[labels.index(opinion.label)], *shown, status, "llm"]


def cells(scores: Scores, place: int, labels: Sequence[str], *, promised: PromisedLabels | None = None) -> list[str]:
    """Label, confidence and probabilities of a text; all empty for NO_TEXT. Where something is `promised`, a status
    behind them, and no label below it."""
    if place == NO_TEXT:
        return [""] * (2 + len(labels)) + ([] if promised is None else [Status.EMPTY_TEXT])
    values = scores.proba[place].tolist()
    shown = [f"{value:.4f}" for value in values]
    if scores.kind == "multi":
        return [scores.label(place, labels), f"{float(scores.confidence[place]):.4f}", *shown]
    best = int(scores.chosen[place])
    if promised is None:
        return [labels[best], shown[best], *shown]
    if promised.keeps(scores.chosen[place : place + 1], scores.confidence[place : place + 1])[0]:
        return [labels[best], shown[best], *shown, KEPT]
    return ["", shown[best], *shown, BELOW]
