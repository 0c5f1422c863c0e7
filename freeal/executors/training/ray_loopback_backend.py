"""How the workers of a cluster of our own find each other: without a port that listens beyond this machine.

Ray's torch backend lets them meet at a TCPStore, which listens on all addresses of the machine. Those of one machine
can meet in a file, and exchange gradients over the loopback.
"""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path
from typing import Any

import ray
from ray.train.backend import Backend
from ray.train.torch import TorchConfig

from freeal.compute import process_group


@dataclasses.dataclass
class LoopbackConfig(TorchConfig):  # type: ignore[misc]  # Ray ships no types
    """For Ray's `TorchTrainer`; workers meet in a file in `folder`."""

    folder: str = ""

    @property
    def backend_cls(self) -> type[LoopbackBackend]:
        """See `BackendConfig.backend_cls`."""
        return LoopbackBackend


class LoopbackBackend(Backend):  # type: ignore[misc]  # Ray ships no types
    """Sets up torch.distributed for a group of workers on one machine."""

    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: LoopbackConfig) -> None:
        """See `Backend.on_start`."""
        meeting = Path(backend_config.folder) / f".meeting-{uuid.uuid4().hex}"
        size = len(worker_group)
        joining = [
            worker_group.execute_single_async(
                rank, process_group.join_process_group, meeting, rank, size, interface="lo"
            )
            for rank in range(size)
        ]
        ray.get(joining)

    def on_shutdown(self, worker_group: Any, backend_config: LoopbackConfig) -> None:
        """See `Backend.on_shutdown`."""
        del backend_config
        ray.get(worker_group.execute_async(process_group.leave))
