"""What runs on the machines of a Ray cluster while they train: the loop of each worker, and the one they report to."""

from __future__ import annotations

import pickle
import time
import uuid
from pathlib import Path
from typing import Any

from freeal.errors import ExecutorError, FreealError
from freeal.executors.errors_as_messages import error_as_message, error_from_message
from freeal.executors.software_version import software_version
from freeal.executors.training.training_task import TrainingTask
from freeal.files import atomic_write

STATE = "state"
"""The file in a checkpoint's folder."""
TOLD_EVERY_SECONDS = 0.5


class TrainingHome:
    """Lives on the machine where the training was asked for. Checkpoints are written and read on its disk alone, so no
    disk need be shared; it hears how far the training is, and of the task's own errors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progress: tuple[int, int] | None = None
        self._failure: dict[str, Any] | None = None

    def keep(self, content: bytes, epoch: int) -> str:
        """Write a checkpoint; returns its folder. Ray Train takes old ones away."""
        folder = self._folder / f"epoch-{epoch:04d}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        with atomic_write.replacing(folder / STATE) as stream:
            stream.write(content)
        return str(folder)

    def read(self, folder: str) -> bytes:
        """The content of a checkpoint."""
        return (Path(folder) / STATE).read_bytes()

    def tell(self, done: int, total: int) -> None:
        """How far the training is, in steps."""
        self._progress = (done, total)

    def progress(self) -> tuple[int, int] | None:
        """What was told last."""
        return self._progress

    def fail(self, message: dict[str, Any]) -> None:
        """The task ended with an error of its own, which would come again."""
        self._failure = self._failure or message

    def failure(self) -> dict[str, Any] | None:
        """The first of these errors."""
        return self._failure


class RayCheckpoints:
    """`Checkpoints` that Ray Train knows of and resumes from, written by `home`."""

    def __init__(self, home: Any) -> None:
        self._home = home

    def latest(self) -> bytes | None:
        """See `Checkpoints.latest`."""
        from ray import train

        found = train.get_checkpoint()
        content: bytes | None = None if found is None else _ask_home(self._home, "read", found.path)
        return content

    def keep(self, content: bytes | None, *, epoch: int) -> None:
        """See `Checkpoints.keep`. Returns when all workers have reported."""
        from ray import train

        kept = None if content is None else train.Checkpoint(_ask_home(self._home, "keep", content, epoch))
        train.report({"epoch": epoch}, checkpoint=kept, checkpoint_upload_mode=train.CheckpointUploadMode.NO_UPLOAD)


def train_loop(config: dict[str, Any]) -> None:
    """The training of one worker. `config` holds `task` (pickled bytes, or a reference to them), `home` (a
    `TrainingHome`, or its actor) and `version`, the software of the machine that asks."""
    from freeal.compute import process_group

    home = config["home"]
    if failure := _ask_home(home, "failure"):
        raise error_from_message(failure)  # Ray has taken the task's own error for a loss
    group = process_group.joined()
    try:
        if (own := software_version()) != config["version"]:
            raise ExecutorError(
                f"a machine of the cluster runs other software than this one: {own}, here {config['version']}",
                hint="install the same versions on all of them",
            )
        _unpickled_task(config["task"]).run(group, RayCheckpoints(home), _on_step_to_home(home, tells=group.rank == 0))
    except FreealError as error:
        _ask_home(home, "fail", error_as_message(error))
        raise


def _unpickled_task(content: Any) -> TrainingTask:
    import ray

    found = ray.get(content) if isinstance(content, ray.ObjectRef) else content
    task: TrainingTask = pickle.loads(found)  # noqa: S301 - of the process that asks, through its own cluster
    return task


def _on_step_to_home(home: Any, *, tells: bool) -> Any:
    last = 0.0

    def on_step(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if tells and (now - last >= TOLD_EVERY_SECONDS or done == total):
            last = now
            _send(home, "tell", done, total)

    return on_step


def _send(home: Any, method: str, *arguments: Any) -> Any:
    function = getattr(home, method)
    return function.remote(*arguments) if hasattr(function, "remote") else function(*arguments)


def _ask_home(home: Any, method: str, *arguments: Any) -> Any:
    """The answer of an actor, or of an object of this process."""
    import ray

    answer = _send(home, method, *arguments)
    return ray.get(answer) if isinstance(answer, ray.ObjectRef) else answer
