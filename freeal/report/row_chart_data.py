"""The numbers of the pictures that count the rows of the CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.evaluation import confidence_intervals
from freeal.report.report_data import Bin, Confusion, Coverage, Histogram
from freeal.report.row_arrays import Rows
from freeal.results.finished_run import FinishedRun
from freeal.text import joined_labels

MOST_LABELS = 20
"""Labels of a confusion matrix on the page; confusion_*.csv has them all."""

_BINS = 10
_COVERAGES = 20


def confusions_of_rows(rows: Rows) -> tuple[Confusion, ...]:
    """Final labels, student and LLM against truth, student against LLM; the first three only with ground truth."""
    known, said = rows.known & rows.with_text, rows.with_text
    pairs = [("language model", rows.llm[said], "student", rows.student[said])]
    if known.any():
        pairs = [
            ("truth", rows.truth[known], "final label", rows.final[known]),
            ("truth", rows.truth[known], "student", rows.student[known]),
            ("truth", rows.truth[known], "language model", rows.llm[known]),
            *pairs,
        ]
    missing = joined_labels.NONE if rows.names == rows.labels else joined_labels.UNLABELLED
    return tuple(_confusion_of_rows((*rows.labels, missing), *pair) for pair in pairs)


def _confusion_of_rows(
    names: Sequence[str], down: str, rows: np.ndarray, across: str, columns: np.ndarray
) -> Confusion:
    size = len(names)  # the last for what has no label
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)  # NONE is the last
    keep = list(range(size)) if counts[-1].any() or counts[:, -1].any() else list(range(size - 1))
    agreed, grouped = int(np.trace(counts)), len(keep) > MOST_LABELS
    if grouped:
        mistaken = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
        keep = sorted(sorted(keep, key=lambda place: (-int(mistaken[place]), place))[: MOST_LABELS - 1])
        groups = np.full(size, len(keep))
        groups[keep] = range(len(keep))
        merged = np.zeros((len(keep) + 1, len(keep) + 1), dtype=np.int64)
        np.add.at(merged, (groups[:, None], groups[None, :]), counts)
        names = [*(names[place] for place in keep), f"{size - 1 - len(keep)} others"]
        counts = merged
    else:
        names, counts = [names[place] for place in keep], counts[np.ix_(keep, keep)]
    return Confusion(down, across, tuple(names), tuple(tuple(map(int, row)) for row in counts), agreed, grouped)


def reliability_of_rows(rows: Rows) -> tuple[Bin, ...]:
    """Ten bins of confidence, those with rows; nothing without ground truth."""
    confidence, right = rows.confidence[rows.known], (rows.final == rows.truth)[rows.known]
    kinds = rows.kinds[rows.known]
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    found = []
    for number in range(_BINS):
        inside = bins == number
        if not inside.any():
            continue
        hits, of = int(right[inside].sum()), int(inside.sum())
        low, high = confidence_intervals.of_rows(right[inside], kinds[inside])
        found.append(Bin(float(confidence[inside].mean()), hits / of, low, high, of))
    return tuple(found)


def coverage_of_rows(run: FinishedRun, rows: Rows) -> Coverage:
    """Twenty shares of the surest rows. The expected accuracy is their mean confidence, over all rows with text.

    The curve asks what would happen at other thresholds: where we abstained, the label that was held back counts.
    """
    surest = np.sort(rows.confidence[rows.with_text])[::-1]
    expected = np.cumsum(surest) / np.arange(1, len(surest) + 1)
    order = np.argsort(-rows.confidence[rows.known], kind="stable")
    true = np.cumsum((rows.likeliest == rows.truth)[rows.known][order]) / np.arange(1, len(order) + 1)
    points = []
    for step in range(1, _COVERAGES + 1):
        share = step / _COVERAGES
        points.append((share, _at(expected, share) or 0.0, _at(true, share)))
    threshold = float(run.settings["loop"]["abstain_below"])
    return Coverage(tuple(points), float((surest >= threshold).mean()), threshold)


def _at(means: np.ndarray, share: float) -> float | None:
    return float(means[max(1, round(share * len(means))) - 1]) if len(means) else None


def confidence_of_rows(rows: Rows) -> Histogram:
    """Confidence per row with text, cut by right and wrong where the truth is known."""
    edges = np.linspace(0.0, 1.0, 21)
    right = rows.final == rows.truth
    kinds = {
        "right": rows.known & right,
        "wrong": rows.known & ~right,
        "truth unknown": ~rows.known,
    }
    series = tuple(
        (name, tuple(int(number) for number in np.histogram(rows.confidence[kind & rows.with_text], edges)[0]))
        for name, kind in kinds.items()
        if (kind & rows.with_text).any()
    )
    return Histogram("confidence", "row", tuple(map(float, edges)), series)
