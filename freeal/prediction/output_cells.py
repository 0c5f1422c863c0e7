"""A prediction's own columns: label, confidence and probabilities of a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.prediction.promised_labels import BELOW, KEPT, STATUS_COLUMN, PromisedLabels
from freeal.prediction.row_windows import NO_TEXT
from freeal.prediction.window_scoring import Scores
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import Status

PREDICTION_COLUMNS = {
    "freeal_label": "the label the student gives; empty in a row without text",
    "freeal_confidence": "its probability, 0 to 1",
    **TREE_MEANINGS,
    "freeal_p_<label>": "the probability of each label, one column per label",
    STATUS_COLUMN: "only of a model with a promise: `ok`, `empty_text`, or `below_promise` where the label is withheld",
}
"""Our columns of a prediction, in order, each in words for a user (docs/reference/columns.md)."""


Nodes = tuple[list[str], np.ndarray]
"""Of each text of a window, a node of the tree of labels and its probability."""


def columns(labels: Sequence[str], *, with_nodes: bool, with_status: bool) -> list[str]:
    """Our columns of the predictions of one model, in order."""
    nodes = list(TREE_MEANINGS) if with_nodes else []
    status = [STATUS_COLUMN] if with_status else []
    return ["freeal_label", "freeal_confidence", *nodes, *(f"freeal_p_{label}" for label in labels), *status]


def cells(
    scores: Scores,
    place: int,
    labels: Sequence[str],
    *,
    promised: PromisedLabels | None = None,
    nodes: Nodes | None = None,
) -> list[str]:
    """What stands in `columns` for a text; all empty for NO_TEXT. Where something is `promised`, a status behind the
    others, and neither label nor node below it."""
    if place == NO_TEXT:
        ours = columns(labels, with_nodes=nodes is not None, with_status=False)
        return [""] * len(ours) + ([] if promised is None else [Status.EMPTY_TEXT])
    values = scores.proba[place].tolist()
    shown = [f"{value:.4f}" for value in values]
    best = int(scores.chosen[place])
    node = [] if nodes is None else [nodes[0][place], f"{nodes[1][place]:.4f}"]
    if promised is None:
        return [labels[best], shown[best], *node, *shown]
    if promised.keeps(scores.chosen[place : place + 1], scores.confidence[place : place + 1])[0]:
        return [labels[best], shown[best], *node, *shown, KEPT]
    return ["", shown[best], *("" for _ in node), *shown, BELOW]
