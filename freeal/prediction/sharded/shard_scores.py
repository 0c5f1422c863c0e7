"""The results of finished shards as what a window of rows is given, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from freeal.executors.shard_folder import ShardFolder
from freeal.executors.shard_task import ShardTask
from freeal.prediction.row_windows import NO_TEXT, Window
from freeal.prediction.sharded.shard_tasks import SCORE, TRUNCATED
from freeal.prediction.window_scoring import Scores
from freeal.types import Kind


class ShardScores:
    """Reads results in the order of the rows, a shard at a time."""

    def __init__(
        self,
        shards: ShardFolder,
        task: ShardTask,
        *,
        labels: tuple[str, ...],
        kind: Kind,
        skip: int,
        thresholds: tuple[float, ...] = (),
    ) -> None:
        """`skip` rows have been written already."""
        self._labels, self._kind, self._thresholds = labels, kind, thresholds
        self._left = self._score_pieces(shards.results(task), skip)
        self._proba = np.empty((0, len(labels)), dtype=np.float32)
        self._cut = np.empty(0, dtype=bool)

    def take(self, window: Window) -> Scores:
        """Of the texts of the next window, each of which is one row's own."""
        while len(self._cut) < len(window.rows):
            proba, cut = next(self._left)
            self._proba, self._cut = np.concatenate([self._proba, proba]), np.concatenate([self._cut, cut])
        rows, has_text = len(window.rows), window.places != NO_TEXT
        scores = Scores(self._proba[:rows][has_text], self._cut[:rows][has_text], self._kind, self._thresholds)
        self._proba, self._cut = self._proba[rows:], self._cut[rows:]
        return scores

    def _score_pieces(self, results: Iterator[Any], skip: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for table in results:
            if table.num_rows <= skip:
                skip -= table.num_rows
                continue
            rest, skip = table.slice(skip), 0
            proba = np.stack([_values(rest, SCORE + label, np.float32) for label in self._labels], axis=1)
            yield proba, _values(rest, TRUNCATED, np.bool_)


def _values(table: Any, name: str, kind: type[np.generic]) -> np.ndarray:
    column = table.column(name)
    return np.asarray(column.fill_null(False if kind is np.bool_ else 0.0).to_numpy(), dtype=kind)
