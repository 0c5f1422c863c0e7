"""How right the labels are where a text may have several: each label by itself, all of them together, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.aggregation.label_membership import membership


def several_labels_metrics(
    truth: Sequence[str], given: Sequence[str | None], labels: Sequence[str]
) -> dict[str, float]:
    """Of joined labels: `micro_f1` over all pairs of row and label, `macro_f1` over the labels that occur, the
    `subset_accuracy` (share of rows whose labels are exactly right), the `hamming_loss` (share of pairs that are
    wrong), `labels_per_row` and `true_labels_per_row` (cardinality). A row without an answer has none of the labels,
    and is not exactly right. Empty without a row.
    """
    if not truth:
        return {}
    own, said = membership(list(truth), labels), _answered(given, labels)
    scores = _f1(own, said)
    present = own.any(axis=0)
    hits = (own & said).sum()
    micro = 2 * hits / max(1, own.sum() + said.sum())
    exact = [a == b for a, b in zip(truth, given, strict=True)]
    found = {
        "micro_f1": float(micro),
        "macro_f1": float(scores[present].mean()) if present.any() else 0.0,
        "subset_accuracy": float(np.mean(exact)),
        "hamming_loss": float((own != said).mean()),
        "labels_per_row": float(said.sum(axis=1).mean()),
        "true_labels_per_row": float(own.sum(axis=1).mean()),
    }
    return {name: round(value, 4) for name, value in found.items()}


def per_label(truth: Sequence[str], given: Sequence[str | None], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and true rows of each label by itself."""
    own, said = membership(list(truth), labels), _answered(given, labels)
    hits, named, there = (own & said).sum(axis=0), said.sum(axis=0), own.sum(axis=0)
    scores = _f1(own, said)
    return {
        label: {
            "precision": round(float(hits[place] / named[place]), 4) if named[place] else 0.0,
            "recall": round(float(hits[place] / there[place]), 4) if there[place] else 0.0,
            "f1": round(float(scores[place]), 4),
            "rows": int(there[place]),
        }
        for place, label in enumerate(labels)
    }


def _answered(given: Sequence[str | None], labels: Sequence[str]) -> np.ndarray:
    return np.asarray(np.maximum(membership(list(given), labels), 0))


def _f1(own: np.ndarray, said: np.ndarray) -> np.ndarray:
    return np.asarray(2 * (own & said).sum(axis=0) / np.maximum(1, own.sum(axis=0) + said.sum(axis=0)))
