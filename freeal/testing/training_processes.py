"""Processes that train together without any cluster, for tests."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

from freeal.compute import process_group
from freeal.compute.listener import unwatched
from freeal.executors.training.training_task import TrainingTask
from freeal.files import atomic_write

ENDED = 9
"""The exit code of a process that was to end."""
_CONTEXT = multiprocessing.get_context("forkserver")
# loaded once, not by every process
_CONTEXT.set_forkserver_preload(["freeal.student.training.fine_tuning", "sklearn.mixture"])


class FolderCheckpoints:
    """`Checkpoints` in a folder that all processes see. `ends_at`: an epoch at which the process ends, having kept
    it."""

    def __init__(self, folder: Path, *, ends_at: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "checkpoint"
        self._ends_at = ends_at

    def latest(self) -> bytes | None:
        """See `Checkpoints.latest`."""
        return self._file.read_bytes() if self._file.is_file() else None

    def keep(self, content: bytes | None, *, epoch: int) -> None:
        """See `Checkpoints.keep`."""
        if content is not None:
            with atomic_write.replacing(self._file) as stream:
                stream.write(content)
        if epoch == self._ends_at:
            raise SystemExit(ENDED)


def train_together(task: TrainingTask, folder: Path, *, size: int, ends_at: int | None = None) -> list[bytes]:
    """Have `size` processes train the task, going on from the checkpoint in `folder`; what each of them has made of it
    (`TrainingTask.trained`) comes back, nothing where they end at an epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    meeting = folder / f"meeting-{len(list(folder.iterdir()))}"
    content = pickle.dumps(task)
    running = [_CONTEXT.Process(target=_train, args=(content, meeting, size, rank, ends_at)) for rank in range(size)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if [0 if ends_at is None else ENDED] * size != [process.exitcode for process in running]:
        raise RuntimeError(f"exit codes {[process.exitcode for process in running]}")
    return [] if ends_at else [(folder / f"trained-{rank}").read_bytes() for rank in range(size)]


def _train(content: bytes, meeting: Path, size: int, rank: int, ends_at: int | None) -> None:
    task: TrainingTask = pickle.loads(content)  # noqa: S301 - written above
    process_group.join_process_group(meeting, rank, size, interface="lo")
    task.run(process_group.TorchProcessGroup(), FolderCheckpoints(meeting.parent, ends_at=ends_at), unwatched)
    (meeting.parent / f"trained-{rank}").write_bytes(task.trained())
    process_group.leave()
