"""One table labelled in shards by an executor: cut, computed, joined. It may be left at any step and gone on with.

The shards lie beside the output, in `.out.csv.shards`, until it is complete. What is finished there is never computed
again, whichever executor made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal, Self

from freeal.events import Progress
from freeal.executors.engine_choice import EngineChoice
from freeal.executors.executor import Executor
from freeal.executors.shard_folder import ShardFolder, ShardWriter
from freeal.prediction.input_size import Extent
from freeal.prediction.output.checkpointed_output import PREDECESSOR_SECONDS
from freeal.prediction.prediction_job import PredictionJob
from freeal.prediction.prediction_run import PredictionRun
from freeal.prediction.published_model import Classifier
from freeal.prediction.second_opinion import SecondOpinion
from freeal.prediction.sharded.shard_scores import ShardScores
from freeal.prediction.sharded.shard_tasks import PredictShard, shard_tables

SHARDS_SUFFIX = ".shards"


class ShardedRun:
    """As `PredictionRun`, and with its output."""

    def __init__(
        self,
        job: PredictionJob,
        classifier: Classifier,
        executor: Executor,
        choice: EngineChoice,
        *,
        extent: Extent | None = None,
        ask: SecondOpinion | None = None,
        patience_seconds: float = PREDECESSOR_SECONDS,
    ) -> None:
        """Raises what `PredictionRun` raises; waits like it."""
        self._job, self._executor, self._choice = job, executor, choice
        self._classifier = classifier
        self._task = PredictShard.of(job.model, batch_size=job.settings.batch_size)
        self._folder = job.output_csv.with_name(f".{job.output_csv.name}{SHARDS_SUFFIX}")
        self._joined = PredictionRun(
            job, classifier, extent=extent, patience_seconds=patience_seconds, scores=self._scores, ask=ask
        )
        cutting = [self._joined.rows_origin, job.settings.shard_rows]
        self._origin = hashlib.sha256(json.dumps(cutting).encode()).hexdigest()
        self._shards = None if self._joined.is_whole else ShardFolder.opened(self._folder, origin=self._origin)
        self._cutting: Iterator[int] | None = None
        self._computing: Iterator[str | None] | None = None
        self._rows_done = 0
        self._is_computed = self._joined.is_whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def progress(self) -> Progress:
        """Rows of finished shards, and how many there will be in all."""
        total = self._joined.progress.total if self._shards is None else self._shards.rows
        return Progress("deciding", 0, total if self._is_computed else self._rows_done, total)

    def ask_while(self, go_on: Callable[[], bool]) -> None:
        """See `PredictionRun.ask_while`."""
        self._joined.ask_while(go_on)

    @property
    def phase(self) -> Literal["cut", "compute", "join"]:
        """What the next step does."""
        return "join" if self._is_computed else "cut" if self._shards is None else "compute"

    def step(self) -> bool:
        """Cut a shard, wait a moment for one to be computed, or join a window of rows; False when all is done."""
        if self._is_computed:
            return self._joined.step()
        if self._shards is None:
            self._cut()
        else:
            self._compute_shards(self._shards)
        return True

    def finish(self) -> dict[str, Any]:
        """See `PredictionRun.finish`; the summary says which engine it was, and why."""
        self._end_computing()
        said = {"engine": self._choice.engine, "engine_reason": self._choice.why, "shards": len(self._names)}
        return self._joined.finish() | said

    def forget(self) -> None:
        """The summary has been seen: nothing but the output stays."""
        self._remove_shards()
        self._joined.forget()

    def discard(self) -> None:
        """Nothing stays: the table cannot be labelled."""
        self._end_computing()
        self._remove_shards()
        self._joined.discard()

    def close(self) -> None:
        """End the executor's work and let go of the files; the work can be gone on with."""
        self._end_computing()
        self._joined.close()

    @property
    def _names(self) -> tuple[str, ...]:
        return () if self._shards is None else self._shards.names

    def _cut(self) -> None:
        if self._cutting is None:
            self._cutting = self._write_shards()
        if next(self._cutting, None) is None:
            self._cutting = None

    def _write_shards(self) -> Iterator[int]:
        writer = ShardWriter(self._folder, origin=self._origin)
        for table in shard_tables(self._joined.texts(), shard_rows=self._job.settings.shard_rows):
            writer.add_shard(table)
            yield writer.rows
        self._shards = writer.complete_shards()

    def _compute_shards(self, shards: ShardFolder) -> None:
        if self._computing is None:
            missing = len(shards.missing(self._task))
            self._rows_done = max(0, shards.rows - missing * self._job.settings.shard_rows)
            self._computing = self._executor.run(self._task, shards)
        try:
            if next(self._computing) is not None:
                self._rows_done = min(shards.rows, self._rows_done + self._job.settings.shard_rows)
        except StopIteration:
            self._end_computing()
            self._is_computed = True

    def _scores(self, skip: int) -> ShardScores:
        assert self._shards is not None  # noqa: S101 - nothing is joined before it is cut
        model = self._classifier
        labels, kind, thresholds = model.student.labels, model.kind, model.thresholds
        return ShardScores(self._shards, self._task, labels=labels, kind=kind, thresholds=thresholds, skip=skip)

    def _end_computing(self) -> None:
        computing, self._computing = self._computing, None
        if computing is not None and hasattr(computing, "close"):
            computing.close()

    def _remove_shards(self) -> None:
        ShardFolder(self._folder, (), rows=0).remove()
