"""The texts as points in a plane, from the student's embeddings."""

from __future__ import annotations

import numpy as np

from freeal.report.number_format import short
from freeal.report.report_data import Point, TextMap
from freeal.results.finished_run import FinishedRun

MOST_POINTS = 1500

_HOVER_CHARACTERS = 120


def text_map(run: FinishedRun, labels: tuple[str, ...]) -> TextMap:
    """At most 1,500 texts, evenly taken from the pool, and all demonstrations of it within that number: their
    embeddings [n, d] on the first two principal components. `labels` are all that any of them has."""
    best = run.result.best
    shown = {demo.index for demo in (*best.demonstrations, *best.representatives) if demo.index is not None}
    demonstrations = sorted(shown)[: MOST_POINTS // 3]
    room = min(len(run.pool), MOST_POINTS - len(demonstrations))
    taken = np.unique(np.concatenate([np.linspace(0, len(run.pool) - 1, room).astype(int), demonstrations])).astype(int)
    vectors = best.embeddings[taken].astype(np.float64)
    vectors -= vectors.mean(axis=0)
    _, sizes, directions = np.linalg.svd(vectors, full_matrices=False)
    flat = vectors @ directions[:2].T
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    flat *= np.where(flat[np.abs(flat).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)  # the sign of an axis is arbitrary
    points = []
    for index, (x, y) in zip(taken.tolist(), flat.tolist(), strict=True):
        label = run.decisions[index].label
        place = None if label is None else labels.index(label)
        hover = short(run.pool.texts[index], _HOVER_CHARACTERS)
        points.append(Point(x, y, place, index in shown, hover))
    total = float((sizes**2).sum())
    explained = float((sizes[:2] ** 2).sum()) / total if total else 1.0
    return TextMap(tuple(points), labels, explained, len(run.pool))
