"""A local language model over shards of prompts: all machines of a cluster score, the answers come back here.

`llm.engine: ray` asks for it (freeal/job/open_chat_model.py). Whoever asks stores the answers, in the one
process that holds the store.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio.from_thread
import anyio.to_thread

from freeal.compute.device_turn import DeviceTurn, always
from freeal.compute.listener import unheard
from freeal.errors import RowRejectedError
from freeal.executors.executor import Executor
from freeal.executors.shard_folder import ShardFolder
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.local_model_weights import locate_local_weights
from freeal.llm.local.score_shard import ScoreShard, prompt_table, replies_of_result
from freeal.types import Prompt, PromptStyle, Reply

SHARD_PROMPTS = LocalModel.rows_per_call
"""As many as the model is given at once on one machine: so its answers are the same to the last bit."""


class ShardedLocalModel:
    """A `ChatModel` whose answers, and their keys in the store, are those of the `LocalModel` it was made from."""

    provider = "local"
    engine: Literal["ray"] = "ray"
    style: PromptStyle = "completion"
    writes = False
    concurrency = 1

    def __init__(self, task: ScoreShard, *, name: str, executor: Executor, rows_per_call: int) -> None:
        self.model = name
        self.fingerprint = task.fingerprint
        self.rows_per_call = rows_per_call
        self._task, self._executor = task, executor

    @classmethod
    async def load(
        cls,
        model: str | None,
        *,
        cache: Path,
        executor: Executor,
        device: str = "auto",
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        rows_per_call: int = 50_000,
        turn: DeviceTurn = always,
        on_notice: Callable[[str], None] = unheard,
    ) -> ShardedLocalModel:
        """See `LocalModel.load`. The model is loaded here once, for its name and fingerprint, and let go.

        `rows_per_call` prompts go to the executor at a time: what a stop loses, and a cluster's start is paid for.
        """
        loading = functools.partial(LocalModel.load, cache=cache, device=device, precision=precision)
        here = await loading(model, turn=turn, on_notice=on_notice)
        await here.aclose()
        _, source = await anyio.to_thread.run_sync(locate_local_weights, model, cache)
        folder = source if isinstance(source, Path) else None
        # other machines may choose another precision by themselves, and scores of two are two models' scores
        task = ScoreShard(model, folder, here.fingerprint, cache, device, here.precision)
        return cls(task, name=here.model, executor=executor, rows_per_call=rows_per_call)

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Scores per prompt, in order. Raises `RowRejectedError` for a prompt without labels, and what the executor
        raises."""
        if not all(prompt.labels for prompt in prompts):
            raise RowRejectedError("the local model scores labels and cannot write texts")
        return await anyio.to_thread.run_sync(self._answer_in_shards, list(prompts))

    async def aclose(self) -> None:
        """Nothing is held between calls."""

    def _answer_in_shards(self, prompts: list[Prompt]) -> list[Reply]:
        with tempfile.TemporaryDirectory(prefix="freeal-prompts-") as folder:
            shards = ShardFolder.write(Path(folder), _tables(prompts), origin="prompts")
            for _ in self._executor.run(self._task, shards):
                anyio.from_thread.check_cancelled()
            return [reply for result in shards.results(self._task) for reply in replies_of_result(result)]


def _tables(prompts: Sequence[Prompt]) -> Iterator[Any]:
    for first in range(0, len(prompts), SHARD_PROMPTS):
        piece = prompts[first : first + SHARD_PROMPTS]
        yield prompt_table(range(first, first + len(piece)), piece)
