"""A training on Ray Train, in the process that joined the cluster: workers that are lost begin again at the last
checkpoint, with fewer of them where the cluster has become smaller."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.errors import ExecutorError
from freeal.executors.errors_as_messages import error_from_message
from freeal.executors.ray_shards import resources_of_worker, workers_for
from freeal.executors.software_version import software_version
from freeal.executors.training.ray_train_worker import STATE, TrainingHome, train_loop
from freeal.settings import RaySettings

MOST_LOSSES = 3
"""Times that Ray Train begins again after workers were lost."""
MOST_STARTS = 2
"""Times that Ray Train waits a minute for as many workers as there were."""
_BEAT_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What the parent wants trained: a pickled `TrainingTask`, whose checkpoints lie in `folder` below `name`."""

    task: bytes
    name: str
    most_processes: int
    folder: Path
    settings: RaySettings

    def messages(self, ray: Any) -> Iterator[dict[str, Any]]:
        """`processes`: how many begin; `step`: (done, total), now and then; `trained`: the last checkpoint's file."""
        from ray import train
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=False)
        place = self.folder / self.name
        home = ray.remote(TrainingHome).options(num_cpus=0, scheduling_strategy=here).remote(place)
        config = {"task": ray.put(self.task), "home": home, "version": software_version()}
        each, room = resources_of_worker(ray, self.settings), ray.cluster_resources()
        workers = min(self.most_processes, self.settings.workers or self.most_processes)
        while True:
            workers = workers_for(room, each, most=workers)
            yield {"processes": workers}
            fitting = _Fitting(self._torch_trainer(config, each, workers))
            while not fitting.training_is_over(_BEAT_SECONDS):
                if failure := ray.get(home.failure.remote()):
                    raise error_from_message(failure)  # before Ray takes it for a loss
                if (progress := ray.get(home.progress.remote())) is not None:
                    yield {"step": progress}
            try:
                trained = fitting.result().checkpoint.path
                yield {"step": ray.get(home.progress.remote())}
                yield {"trained": str(Path(trained) / STATE)}
            except train.ControllerError as error:
                room = ray.available_resources()
                if workers == workers_for(room, each, most=workers):
                    raise _gave_up_training_error(error) from error
            except train.TrainingFailedError as error:
                if failure := ray.get(home.failure.remote()):
                    raise error_from_message(failure) from error
                raise _gave_up_training_error(error) from error
            else:
                return

    def _torch_trainer(self, config: dict[str, Any], each: dict[str, float], workers: int) -> Any:
        return trainer_of_train_run(
            config,
            name=self.name,
            folder=self.folder,
            workers=workers,
            resources={"CPU": each["num_cpus"], "GPU": each["num_gpus"]},
            loopback=self.settings.address is None,
        )


def trainer_of_train_run(
    config: dict[str, Any],
    *,
    name: str,
    folder: Path,
    workers: int,
    resources: dict[str, float] | None = None,
    loopback: bool = False,
) -> Any:
    """Ray's `TorchTrainer` for a Ray Train run of so many workers; of none, it trains in this process, without a
    cluster. A run of the same name in the same folder goes on from its last checkpoint."""
    from ray import train
    from ray.train.torch import TorchConfig, TorchTrainer

    torch_config = TorchConfig()
    if loopback:
        from freeal.executors.training.ray_loopback_backend import LoopbackConfig

        torch_config = LoopbackConfig(folder=str(folder))
    return TorchTrainer(
        train_loop,
        train_loop_config=config,
        torch_config=torch_config,
        scaling_config=train.ScalingConfig(
            num_workers=workers,
            use_gpu=bool(resources and resources["GPU"]),
            resources_per_worker=None
            if resources is None
            else {key: value for key, value in resources.items() if value},
        ),
        run_config=train.RunConfig(
            name=name,
            storage_path=str(folder),
            checkpoint_config=train.CheckpointConfig(num_to_keep=1),
            failure_config=train.FailureConfig(max_failures=MOST_LOSSES, controller_failure_limit=MOST_STARTS),
        ),
    )


class _Fitting:
    """A trainer's `fit` in a thread beside, which does not keep the process from ending."""

    def __init__(self, trainer: Any) -> None:
        self._outcome: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()
        self._found: tuple[Any, BaseException | None] | None = None
        threading.Thread(target=self._fit, args=(trainer,), daemon=True, name="ray train").start()

    def _fit(self, trainer: Any) -> None:
        try:
            self._outcome.put((trainer.fit(), None))
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._outcome.put((None, error))

    def training_is_over(self, seconds: float) -> bool:
        """Whether it is, after so many seconds at most."""
        try:
            self._found = self._outcome.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def result(self) -> Any:
        """Ray's `Result`, or the error."""
        result, error = self._found or (None, None)
        if error is not None:
            raise error
        return result


def _gave_up_training_error(error: Any) -> ExecutorError:
    causes = list(getattr(error, "worker_failures", {}).values()) or [getattr(error, "controller_failure", error)]
    said = (" ".join(str(causes[0]).split()) or type(causes[0]).__name__)[-300:]
    if "No module named" in said:
        hint = "install this software on every machine of the cluster, in the Python that Ray runs in"
    else:
        hint = "see the cluster's memory and machines (`ray status`); finished epochs are kept, the same again goes on"
    return ExecutorError(f"the cluster could not train: {type(causes[0]).__name__}: {said}", hint=hint)
