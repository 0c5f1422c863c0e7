"""Shards one after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator

from freeal.executors.shard_folder import ShardFolder, encoded_shard
from freeal.executors.shard_task import Engine, ShardTask


class LocalExecutor:
    """An `Executor` of one worker: the caller."""

    name: Engine = "local"

    def run(self, task: ShardTask, shards: ShardFolder) -> Iterator[str | None]:
        """See `Executor.run`. Nothing is loaded where nothing is left to do."""
        missing = shards.missing(task)
        if not missing:
            return
        function = task.open(task.folder)
        for name in missing:
            shards.keep(task, name, encoded_shard(function(shards.table(name))))
            yield name
