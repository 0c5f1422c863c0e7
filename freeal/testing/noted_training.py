"""A training for tests of executors: it notes how it begins, and may fail, or end one of its processes, once."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from freeal.compute.listener import OnStep
from freeal.executors.training.training_task import Checkpoints, TrainingTask

if TYPE_CHECKING:
    from freeal.compute.process_group import ProcessGroup


@dataclasses.dataclass(frozen=True, slots=True)
class NotedTraining:
    """What `inner` is, if anything. `notes` gets a line for each process that begins: `RANK of SIZE`, and another with
    the first step that it does; each takes `seconds` more. `fails_with` is raised at the beginning. The last process is
    killed, once, when it has done the share `dies_after` of the steps."""

    notes: Path
    inner: TrainingTask | None = None
    fails_with: Exception | None = None
    dies_after: float | None = None
    seconds: float = 0.0

    @property
    def identity(self) -> str:
        """That of the training inside."""
        return "NotedTraining" if self.inner is None else self.inner.identity

    @property
    def most_processes(self) -> int:
        """That of the training inside."""
        return 1 if self.inner is None else self.inner.most_processes

    def run(self, group: ProcessGroup, checkpoints: Checkpoints | None, on_step: OnStep) -> None:
        """See `TrainingTask.run`."""
        self._note(f"{group.rank} of {group.size}")
        if self.fails_with is not None:
            raise self.fails_with
        assert self.inner is not None  # noqa: S101 - else it fails
        is_first_step = True

        def stepped(done: int, total: int) -> None:
            nonlocal is_first_step
            if is_first_step and done:
                self._note(f"{group.rank} begins at {done / total:.2f}")
                is_first_step = False
            on_step(done, total)
            time.sleep(self.seconds)
            if self.dies_after is not None and done >= self.dies_after * total and group.rank == group.size - 1:
                self._die()

        self.inner.run(group, checkpoints, stepped)

    def trained(self) -> bytes:
        """See `TrainingTask.trained`."""
        return b"" if self.inner is None else self.inner.trained()

    def take(self, content: bytes) -> None:
        """See `TrainingTask.take`."""
        if self.inner is not None:
            self.inner.take(content)

    def begun(self) -> list[str]:
        """The lines so far."""
        return self.notes.read_text(encoding="ascii").splitlines() if self.notes.exists() else []

    def _note(self, line: str) -> None:
        with self.notes.open("a", encoding="ascii") as stream:
            stream.write(f"{line}\n")

    def _die(self) -> None:
        died = self.notes.with_suffix(".died")
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
