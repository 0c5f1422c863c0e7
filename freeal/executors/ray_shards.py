"""Shards on Ray Data: sent to workers by name, the bytes of their results kept here; what was lost is done again.

Runs in the process that joined the cluster. Files are read and written by this machine alone: no disk need be shared.
An actor asks for the shard's bytes where they lie; the folder a task reads travels once to each machine.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.errors import ExecutorError, FreealError
from freeal.executors.errors_as_messages import error_from_message
from freeal.executors.ray_worker import ShardFiles, ShardWorker
from freeal.executors.shard_folder import ShardFolder
from freeal.executors.shard_task import ShardTask
from freeal.executors.software_version import software_version
from freeal.settings import RaySettings

PACKED_BYTES = 2_000_000_000
"""A folder up to this size travels with the work; a larger one must lie in the same place on every machine."""
MOST_FAILURES = 3
"""Rounds in a row without a single finished shard after which a loss is no chance any more."""
_LOSSES = (
    "ActorDiedError",
    "ActorUnavailableError",
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectLostError",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "OutOfMemoryError",
    "OwnerDiedError",
    "WorkerCrashedError",
)
"""Ray's errors that say that machines or processes failed, not the task."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShardOrder:
    """What the parent wants done: a task, to the shards in a folder."""

    task: ShardTask
    folder: Path
    names: tuple[str, ...]
    rows: int
    settings: RaySettings

    def messages(self, ray: Any) -> Iterator[dict[str, Any]]:
        """`shard`: the name of each that is finished."""
        shards = ShardFolder(self.folder, self.names, rows=self.rows)
        for name in run_on_ray_data(ray, self.task, shards, self.settings):
            yield {"shard": name}


def packed_files(folder: Path) -> dict[str, bytes]:
    """The files right in a folder, by name."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def run_on_ray_data(ray: Any, task: ShardTask, shards: ShardFolder, settings: RaySettings) -> Iterator[str]:
    """Do the task to all shards without a result, on the cluster that is joined; yields each one's name. Lost workers
    are replaced, and what they had is done again; three rounds in a row without a shard are an `ExecutorError`."""
    failures = 0
    while missing := shards.missing(task):
        try:
            for name, content in _run_ray_round(ray, task, shards, settings, missing):
                shards.keep(task, name, content)
                failures = 0
                yield name
        except FreealError:
            raise
        except Exception as error:
            failures += 1
            if not is_loss(error) or failures >= MOST_FAILURES:
                raise gave_up_error(error) from error


def _run_ray_round(
    ray: Any, task: ShardTask, shards: ShardFolder, settings: RaySettings, names: list[str]
) -> Iterator[tuple[str, bytes]]:
    import ray.data as ray_data
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    context = ray_data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    home = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node_id=home, soft=False)
    files = ray.remote(ShardFiles).options(num_cpus=0, scheduling_strategy=here).remote(shards.folder)
    packed = [] if task.folder is None or _size(task.folder) > PACKED_BYTES else [ray.put(packed_files(task.folder))]
    least, most = _pool_size(ray, settings, shards=len(names))
    results = ray_data.from_items([{"shard": name} for name in names], override_num_blocks=len(names)).map_batches(
        ShardWorker,
        batch_size=1,
        batch_format="pyarrow",
        compute=ray_data.ActorPoolStrategy(min_size=least, max_size=most, max_tasks_in_flight_per_actor=2),
        fn_constructor_args=[task],
        fn_constructor_kwargs={
            "home": home,
            "files": files,
            "packed": packed,
            "version": software_version(),
            "workers": most,
        },
        **resources_of_worker(ray, settings),
    )
    for batch in results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for row in batch.to_pylist():
            if row["error"] is not None:
                raise error_from_message(json.loads(row["error"]))
            yield row["shard"], row["result"]


def _pool_size(ray: Any, settings: RaySettings, *, shards: int) -> tuple[int, int]:
    """As many actors as there is room for now, and the most there may be where the cluster grows."""
    most = max(1, min(shards, settings.workers or shards))
    return workers_for(ray.cluster_resources(), resources_of_worker(ray, settings), most=most), most


def workers_for(room: dict[str, float], each: dict[str, float], *, most: int) -> int:
    """How many workers there is `room` for when each of them needs so much: at least one, and `most` at most."""
    fit = room.get("GPU", 0) / each["num_gpus"] if each["num_gpus"] else room.get("CPU", 1) / each["num_cpus"]
    return max(1, min(int(fit), most))


def resources_of_worker(ray: Any, settings: RaySettings) -> dict[str, float]:
    """Of each worker: `num_cpus` and `num_gpus`."""
    gpus = settings.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0
    return {"num_cpus": settings.cpus_per_worker, "num_gpus": gpus}


def is_loss(error: BaseException) -> bool:
    """Whether machines or processes were lost, which may go better with others."""
    return any(type(one).__name__ in _LOSSES for one in _chain_of_causes(error))


def gave_up_error(error: BaseException) -> ExecutorError:
    """What to say in the end."""
    last = _chain_of_causes(error)[-1]
    said = " ".join(str(last).split())[:300]
    if "No module named" in said:
        hint = "install this software on every machine of the cluster, in the Python that Ray runs in"
    else:
        hint = "see the cluster's memory and disks (`ray status`); finished shards are kept, the same again goes on"
    return ExecutorError(f"the cluster could not do the work: {type(last).__name__}: {said}", hint=hint)


def _chain_of_causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    next_one: BaseException | None = error
    while next_one is not None and next_one not in found:
        found.append(next_one)
        next_one = getattr(next_one, "cause", None) or next_one.__cause__
    return found
