"""How far off labels are that have an order: one step from the truth is no such error as four."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ordinal_metrics(truth: Sequence[str], given: Sequence[str | None], labels: Sequence[str]) -> dict[str, float]:
    """Of rows that have a label: `mean_distance` in steps, `within_one` (share at most a step off), `quadratic_kappa`
    (Cohen 1968: 1 is perfect, 0 what chance gives; absent where all labels are one). `labels` are in their order.

    Empty without a row.
    """
    from sklearn.metrics import cohen_kappa_score

    at = {label: position for position, label in enumerate(labels)}
    pairs = np.array([(at[a], at[b]) for a, b in zip(truth, given, strict=True) if b is not None], dtype=np.int64)
    if not len(pairs):
        return {}
    distance = np.abs(pairs[:, 0] - pairs[:, 1])
    found = {"mean_distance": float(distance.mean()), "within_one": float((distance <= 1).mean())}
    if len(np.unique(pairs)) > 1:
        found["quadratic_kappa"] = float(cohen_kappa_score(pairs[:, 0], pairs[:, 1], weights="quadratic"))
    return {name: round(value, 4) for name, value in found.items()}
