"""The contract between a training and whatever runs it: this process, or several that share every batch.

Checkpoints are bytes that the task writes and reads; who keeps them need not know what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from freeal.compute.listener import OnStep
from freeal.executors.shard_task import Engine

if TYPE_CHECKING:
    from freeal.compute.process_group import ProcessGroup


class Checkpoints(Protocol):
    """Where a training keeps how far it is, between two epochs."""

    def latest(self) -> bytes | None:
        """The last one kept; None: begin at the beginning. To be called by all processes."""

    def keep(self, content: bytes | None, *, epoch: int) -> None:
        """Keep it in the place of the one before. To be called by all processes; the first gives the content, the
        others None."""


class TrainingTask(Protocol):
    """What is to be trained. It is pickled for other processes, each of which has a copy of its own."""

    @property
    def identity(self) -> str:
        """A digest of everything that the training begins with: checkpoints are found by it."""

    @property
    def most_processes(self) -> int:
        """More of them would have nothing to do."""

    def run(self, group: ProcessGroup, checkpoints: Checkpoints | None, on_step: OnStep) -> None:
        """Train in place, as one process of `group`, going on from the latest checkpoint. None: nothing is kept."""

    def trained(self) -> bytes:
        """What it has become."""

    def take(self, content: bytes) -> None:
        """Become what another copy's `trained`, or its last checkpoint, says."""


class TrainingExecutor(Protocol):
    """Runs a training."""

    @property
    def name(self) -> Engine:
        """For the user."""

    def train(self, task: TrainingTask, *, on_step: OnStep) -> int:
        """Train the task in place; returns how many processes brought it to its end. `on_step` may raise, which ends
        the training. Raises what the task raises, and `ExecutorError` where processes are lost time and again."""


class LocalTraining:
    """A `TrainingExecutor` of one process: the caller."""

    name: Engine = "local"

    def train(self, task: TrainingTask, *, on_step: OnStep) -> int:
        """See `TrainingExecutor.train`."""
        from freeal.compute.process_group import Alone

        task.run(Alone(), None, on_step)
        return 1
