"""What an executor of work over shards does, whichever machine or machines it uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from freeal.executors.shard_folder import ShardFolder
from freeal.executors.shard_task import Engine, ShardTask


class Executor(Protocol):
    """Does a task to every shard."""

    @property
    def name(self) -> Engine:
        """For the user."""

    def run(self, task: ShardTask, shards: ShardFolder) -> Iterator[str | None]:
        """Do the task to the shards that have no result yet. Yields the name of each when its result is on the disk, in
        any order, and None now and then while nothing is finished.

        Closing the iterator ends the work; the same call goes on with the rest. Raises what the task raises, and
        `ExecutorError` where workers are lost time and again.
        """
