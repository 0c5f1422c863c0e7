"""Training over a Ray cluster, from a process that keeps its own signals."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from freeal.compute.listener import OnStep, Steps, unheard
from freeal.executors import ray_child_handle, ray_cluster
from freeal.executors.shard_task import Engine
from freeal.executors.software_version import software_version
from freeal.executors.training.ray_train_run import TrainingOrder
from freeal.executors.training.training_task import TrainingTask
from freeal.settings import RaySettings

FOLDER = "ray-train"
"""In the folder for checkpoints: below it one folder for each training, away when it is over."""


class RayTraining:
    """A `TrainingExecutor` over a cluster; see `RaySettings` for which."""

    name: Engine = "ray"

    def __init__(
        self, settings: RaySettings, *, folder: Path | None = None, on_notice: Callable[[str], None] = unheard
    ) -> None:
        """Checkpoints lie in `folder`, on this machine, and a training that was cut off goes on from there; None: they
        are away with this process. Raises `ConfigError` where Ray is not installed or the address cannot work."""
        ray_cluster.check_ray_settings(settings)
        self._settings = settings
        self._folder = folder
        self._on_notice = on_notice

    def train(self, task: TrainingTask, *, on_step: OnStep) -> int:
        """See `TrainingExecutor.train`."""
        processes = 0
        name = hashlib.sha256(f"{task.identity} {software_version()}".encode()).hexdigest()[:32]
        with self._checkpoint_folder(name) as folder:
            order = TrainingOrder(pickle.dumps(task), name, task.most_processes, folder, self._settings)
            steps, last = on_step if isinstance(on_step, Steps) else Steps(on_step), (0, 0)
            messages = ray_child_handle.messages_of_ray_child(order, on_notice=self._on_notice)
            with contextlib.closing(messages):
                for message in messages:
                    if message is not None and "trained" in message:
                        task.take(Path(message["trained"]).read_bytes())
                    elif message is not None and "processes" in message:
                        processes = message["processes"]
                        self._on_notice(_told(processes))
                    elif message is not None and tuple(message["step"]) > last:  # after a loss it goes back for a while
                        last = tuple(message["step"])
                        steps(*last)
                    steps.still(*last)
        return processes

    @contextlib.contextmanager
    def _checkpoint_folder(self, name: str) -> Iterator[Path]:
        """Where the checkpoints lie, without those of other trainings; empty when this one is over."""
        if self._folder is None:
            with tempfile.TemporaryDirectory(prefix="freeal-ray-train-") as folder:
                yield Path(folder).resolve()
            return
        place = (self._folder / FOLDER).resolve()
        place.mkdir(parents=True, exist_ok=True)
        for other in place.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True) if other.is_dir() else other.unlink(missing_ok=True)
        yield place
        shutil.rmtree(place, ignore_errors=True)


def _told(processes: int) -> str:
    return "Ray: one process trains the student" if processes == 1 else f"Ray: {processes} processes train the student"
