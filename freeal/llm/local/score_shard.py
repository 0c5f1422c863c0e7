"""What a language model in memory does to a shard of prompts: it scores their labels.

A shard has `row_id`, `system`, `shared`, `specific` and `labels` (a list of strings) of each prompt.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio

from freeal.errors import ExecutorError
from freeal.executors.shard_folder import ROW_ID, import_pyarrow
from freeal.executors.shard_task import ShardFunction
from freeal.types import Prompt, Reply, Usage

if TYPE_CHECKING:
    from freeal.llm.local.local_model import LocalModel

SYSTEM, SHARED, SPECIFIC, LABELS = "system", "shared", "specific", "labels"
SCORES, TRUNCATED, USAGE = "scores", "truncated", "usage"


@dataclasses.dataclass(frozen=True, slots=True)
class ScoreShard:
    """`row_id`, `scores` (float64, in the order of the prompt's labels), `truncated`, and `usage` as JSON.

    `model` is what settings call `llm.model`, `folder` where its files lie (None: each machine asks the hub for them),
    `fingerprint` the model's own.
    """

    model: str | None
    folder: Path | None
    fingerprint: str
    cache: Path
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @property
    def identity(self) -> str:
        """The model with all that changes its scores."""
        return f"ScoreShard 1 {self.fingerprint}"

    def open(self, folder: Path | None) -> ShardFunction:
        """Load the model. Raises `ConfigError` where it cannot be had, `ExecutorError` where it is another one here."""
        from freeal.llm.local.local_model import LocalModel

        named = self.model if folder is None else str(folder)
        loading = functools.partial(
            LocalModel.load, named, cache=self.cache, device=self.device, precision=self.precision
        )
        model: LocalModel = anyio.run(loading)
        if model.fingerprint != self.fingerprint:
            raise ExecutorError(
                f"a machine of the cluster has another language model under this name: {model.fingerprint} where "
                f"{self.fingerprint} was asked for",
                hint="name a folder: it travels to all machines",
            )

        def score(table: Any) -> Any:
            return reply_table(table.column(ROW_ID), anyio.run(model.answer, prompts_of_shard(table)))

        return score


def prompt_table(row_ids: Iterable[int], asked: Sequence[Prompt]) -> Any:
    """A shard of prompts that name labels."""
    pa = import_pyarrow()
    return pa.table(
        {
            ROW_ID: pa.array(row_ids, pa.int64()),
            SYSTEM: pa.array([prompt.system for prompt in asked], pa.large_string()),
            SHARED: pa.array([prompt.shared for prompt in asked], pa.large_string()),
            SPECIFIC: pa.array([prompt.specific for prompt in asked], pa.large_string()),
            LABELS: pa.array([list(prompt.labels) for prompt in asked], pa.list_(pa.string())),
        }
    )


def prompts_of_shard(table: Any) -> list[Prompt]:
    """The prompts of a shard."""
    columns = (table.column(name).to_pylist() for name in (SYSTEM, SHARED, SPECIFIC, LABELS))
    return [
        Prompt(system, shared, specific, tuple(labels))
        for system, shared, specific, labels in zip(*columns, strict=True)
    ]


def reply_table(row_ids: Any, said: Sequence[Reply]) -> Any:
    """The result of a shard."""
    pa = import_pyarrow()
    return pa.table(
        {
            ROW_ID: row_ids,
            SCORES: pa.array([list(reply.scores or ()) for reply in said], pa.list_(pa.float64())),
            TRUNCATED: pa.array([reply.truncated for reply in said], pa.bool_()),
            USAGE: pa.array([json.dumps(dataclasses.asdict(reply.usage)) for reply in said], pa.string()),
        }
    )


def replies_of_result(table: Any) -> list[Reply]:
    """The replies of a result, in the order of its rows."""
    columns = (table.column(name).to_pylist() for name in (SCORES, TRUNCATED, USAGE))
    return [
        Reply(scores=tuple(scores), truncated=truncated, usage=Usage(**json.loads(usage)))
        for scores, truncated, usage in zip(*columns, strict=True)
    ]
