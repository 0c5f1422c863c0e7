"""What runs on the machines of a Ray cluster: actors that hold the model, and one that reads the shards for them."""

from __future__ import annotations

import collections
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeal.errors import ExecutorError
from freeal.executors.errors_as_messages import error_as_message
from freeal.executors.shard_folder import decoded, encoded_shard, import_pyarrow
from freeal.executors.shard_task import ShardFunction, ShardTask
from freeal.executors.software_version import software_version

MOST_TRIES = 3
"""Workers that may end over one shard."""


class ShardFiles:
    """Runs on the machine where the shards lie, reads them for those elsewhere, and sees who asks again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reads: collections.Counter[str] = collections.Counter()
        self._starts: collections.Counter[int] = collections.Counter()

    def note_start(self, workers: int) -> None:
        """A worker begins to load its model. Raises `ExecutorError` where that has gone wrong too often."""
        self._starts[len(self._reads)] += 1
        if self._starts[len(self._reads)] > MOST_TRIES * workers:
            hint = "see their memory (`ray status`): a smaller model, fewer workers, or more memory for each"
            raise ExecutorError(f"workers ended {MOST_TRIES} times each while they loaded the model", hint=hint)

    def read(self, name: str) -> bytes:
        """A shard's bytes. Raises `ExecutorError` for one that too many workers have begun."""
        self._reads[name] += 1
        if self._reads[name] > MOST_TRIES:
            hint = "see their memory (`ray status`): a smaller predict.batch_size or predict.shard_rows needs less"
            raise ExecutorError(f"{MOST_TRIES} workers began {name} and ended before it was done", hint=hint)
        return (self._folder / name).read_bytes()


class ShardWorker:
    """An actor with the task's model: one batch is one shard."""

    def __init__(
        self, task: ShardTask, *, home: str, files: Any, packed: list[Any], version: str, workers: int
    ) -> None:
        """`home` is the node the files lie on, `packed` holds a reference to the files of the task's folder."""
        self._task, self._files = task, files
        self._home, self._packed, self._version, self._workers = home, packed, version, workers
        self._function: ShardFunction | None = None

    def __call__(self, batch: Any) -> Any:
        """From a table with the name of a shard to one with its name and its result, or the error in its place: one
        that is raised here would reach the caller as a sentence, without its class."""
        import ray

        (name,) = batch.column("shard").to_pylist()
        pa, result, error = import_pyarrow(), None, None
        try:
            function = self._function = self._function or self._open_task(ray)
            result = encoded_shard(function(decoded(ray.get(self._files.read.remote(name)))))
        except Exception as raised:  # noqa: BLE001 - raised again where the shards lie
            error = json.dumps(error_as_message(raised))
        return pa.table(
            {
                "shard": [name],
                "result": pa.array([result], pa.large_binary()),
                "error": pa.array([error], pa.string()),
            }
        )

    def _open_task(self, ray: Any) -> ShardFunction:
        if (own := software_version()) != self._version:
            raise ExecutorError(
                f"a machine of the cluster runs other software than this one: {own}, here {self._version}",
                hint="install the same versions on all of them",
            )
        ray.get(self._files.note_start.remote(self._workers))
        folder = self._task.folder
        if self._packed and ray.get_runtime_context().get_node_id() != self._home:
            self._copy = tempfile.TemporaryDirectory(prefix="freeal-model-")
            folder = unpacked(ray.get(self._packed[0]), Path(self._copy.name))
        if folder is not None and not folder.is_dir():
            hint = "copy it to the same place on every machine of the cluster, or put it on a shared disk"
            raise ExecutorError(f"{folder} is too large to be sent along and is not on this machine", hint=hint)
        return self._task.open(folder)


def unpacked(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write them into `folder`; it is returned."""
    for name, content in files.items():
        (folder / Path(name).name).write_bytes(content)
    return folder
