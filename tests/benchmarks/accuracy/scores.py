"""How good labels, students and clean sets are, in shares from 0 to 1; ground truth is used here and nowhere before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cases import Case

from freeal.student.protocols import NO_LABEL, Student

CLEAN_THRESHOLD = 0.7
COVERAGES = (0.60, 0.18)
"""Shares of the pool whose cleanest texts are looked at; 18 % is what FreeAL's own published list covers."""


def of_student(student: Student, case: Case) -> dict[str, float]:
    """Accuracy and macro-F1 on the test rows."""
    predicted = student.predict_proba(case.test_texts).argmax(axis=1)
    return of_test([student.labels[position] for position in predicted], case.test_labels)


def of_test(given: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """Accuracy, and macro-F1 over the labels that occur in `truth`."""
    from sklearn.metrics import f1_score

    right = sum(a == b for a, b in zip(given, truth, strict=True))
    f1 = f1_score(truth, given, labels=sorted(set(truth)), average="macro", zero_division=0.0)
    return {"test_accuracy": round(right / len(truth), 4), "macro_f1": round(float(f1), 4)}


def of_pool(labels: Sequence[str | None], case: Case) -> float:
    """Share of the pool's rows whose label (given by pool index) is right."""
    accuracy = case.evaluation.accuracy(labels)
    if accuracy is None:
        raise ValueError(f"{case.csv.name}: no row has a true label")
    return round(accuracy, 4)


def of_clean_set(
    clean_probability: np.ndarray, losses: np.ndarray, annotations: Sequence[str | None], case: Case
) -> dict[str, float]:
    """How many texts are trusted and how many of those are right, all arrays by pool index; empty when every text is
    trusted alike: nothing was split.

    `clean_share` of the pool has P(clean) above the threshold; `clean_purity` of it is labelled rightly. `purity_60` is
    that of the cleanest 60 % of the pool, by P(clean) and among equals by loss.
    """
    known = np.array([label is not None for label in annotations])
    probability = np.where(known, clean_probability, NO_LABEL)
    if not known.any() or np.ptp(probability[known]) == 0:
        return {}
    trusted = known & (probability > CLEAN_THRESHOLD)
    found = {"clean_share": round(float(trusted.mean()), 4)}
    found |= _purity("clean_purity", trusted, annotations, case)
    order = np.lexsort((np.nan_to_num(losses, nan=np.inf), -probability))
    for coverage in COVERAGES:
        cleanest = np.zeros(len(known), dtype=bool)
        cleanest[order[: round(coverage * len(order))]] = True
        found |= _purity(f"purity_{coverage * 100:.0f}", cleanest, annotations, case)
    return found


def _purity(name: str, chosen: np.ndarray, annotations: Sequence[str | None], case: Case) -> dict[str, float]:
    purity = case.evaluation.selected(chosen.tolist()).accuracy(annotations)
    return {} if purity is None else {name: round(purity, 4)}
