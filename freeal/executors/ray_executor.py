"""Shards on a Ray cluster, from a process that keeps its own signals: Ray runs in a child."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from freeal.compute.listener import unheard
from freeal.executors import ray_child_handle, ray_cluster
from freeal.executors.ray_shards import ShardOrder
from freeal.executors.shard_folder import ShardFolder
from freeal.executors.shard_task import Engine, ShardTask
from freeal.settings import RaySettings


class RayExecutor:
    """An `Executor` over a cluster; see `RaySettings` for which."""

    name: Engine = "ray"

    def __init__(self, settings: RaySettings, *, on_notice: Callable[[str], None] = unheard) -> None:
        """Raises `ConfigError` where Ray is not installed or the address cannot work."""
        ray_cluster.check_ray_settings(settings)
        self._settings = settings
        self._on_notice = on_notice

    def run(self, task: ShardTask, shards: ShardFolder) -> Iterator[str | None]:
        """See `Executor.run`. No cluster is joined where nothing is left to do."""
        if not shards.missing(task):
            return
        order = ShardOrder(task, shards.folder.resolve(), shards.names, shards.rows, self._settings)
        for message in ray_child_handle.messages_of_ray_child(order, on_notice=self._on_notice):
            yield None if message is None else str(message["shard"])
