"""Processes that train one model together: each computes its share of every batch, and all take the same step.

What is summed or sent belongs to rows of the pool, never to places in a batch: whoever computed a row, its number is
found again. A process alone is a group of one, which has nothing to sum.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.distributed as dist

BUCKET_NUMBERS = 6_500_000
"""Gradients are summed in pieces of so many float32 numbers, 26 MB."""
TIMEOUT_SECONDS = 1800.0
"""For a process that others wait for; one that ended is noticed at once."""


class ProcessGroup(Protocol):
    """The processes, and which of them this is. Each method but `share` is to be called by all of them, in the same
    order."""

    @property
    def rank(self) -> int:
        """This one's number, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def share(self, rows: np.ndarray) -> np.ndarray:
        """This process's part of `rows`, int [n]; the parts together are `rows`, and some may be empty."""

    def gathered(self, rows: np.ndarray, values: np.ndarray, *, of: int) -> np.ndarray:
        """What all have computed: float32 [of, k], each of this process's `values` [len(rows), k] at its row."""

    def agreed(self, values: np.ndarray) -> np.ndarray:
        """The first process's `values`; those of the others have the same shape and type."""

    def equal(self, weights: Sequence[torch.Tensor]) -> None:
        """Give all of them the first process's weights, in place."""

    def sum_over_group(self, weights: Sequence[torch.Tensor]) -> bool:
        """Sum the gradients of all processes of the group, in place; a process without any takes part with zeros.
        Whether any has one."""


class Alone:
    """A `ProcessGroup` of one."""

    rank, size = 0, 1

    def share(self, rows: np.ndarray) -> np.ndarray:
        """All of them."""
        return rows

    def gathered(self, rows: np.ndarray, values: np.ndarray, *, of: int) -> np.ndarray:
        """The values, in the order of the rows."""
        found = np.empty((of, *values.shape[1:]), dtype=values.dtype)
        found[rows] = values
        return found

    def agreed(self, values: np.ndarray) -> np.ndarray:
        """They are."""
        return values

    def equal(self, weights: Sequence[torch.Tensor]) -> None:
        """They are."""

    def sum_over_group(self, weights: Sequence[torch.Tensor]) -> bool:
        """They are."""
        return any(weight.grad is not None for weight in weights)


class TorchProcessGroup:
    """A `ProcessGroup` over torch.distributed, which somebody has set up.

    DistributedDataParallel is not used: it sums while one backward pass goes through one forward call of the model. A
    step here has several terms, may be computed in pieces that fit into memory, and a process may have no row of it.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        on_gpu = dist.get_backend() == "nccl"
        self._device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")

    def share(self, rows: np.ndarray) -> np.ndarray:
        """One part of as many, equal but for one row."""
        return np.array_split(rows, self.size)[self.rank]

    def gathered(self, rows: np.ndarray, values: np.ndarray, *, of: int) -> np.ndarray:
        """See `ProcessGroup.gathered`."""
        found = torch.zeros((of, *values.shape[1:]), dtype=torch.float32)
        found[torch.from_numpy(rows)] = torch.from_numpy(values).float()
        found = found.to(self._device)
        dist.all_reduce(found)
        return found.cpu().numpy()

    def agreed(self, values: np.ndarray) -> np.ndarray:
        """See `ProcessGroup.agreed`."""
        sent = torch.from_numpy(np.array(values)).to(self._device)  # a copy: it is written into
        dist.broadcast(sent, src=0)
        return sent.cpu().numpy()

    def equal(self, weights: Sequence[torch.Tensor]) -> None:
        """See `ProcessGroup.equal`."""
        with torch.no_grad():
            for bucket in _tensor_buckets(weights):
                flat = torch.cat([weight.reshape(-1) for weight in bucket]).to(self._device)
                dist.broadcast(flat, src=0)
                _written_back(flat, bucket)

    def sum_over_group(self, weights: Sequence[torch.Tensor]) -> bool:
        """See `ProcessGroup.sum_over_group`."""
        # a weight that nobody's step has reached keeps None, not zero: the optimizer would let it decay
        used = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.float32, device=self._device)
        dist.all_reduce(used)
        reached = [weight for weight, count in zip(weights, used.tolist(), strict=True) if count]
        for weight in reached:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        for bucket in _tensor_buckets([weight.grad for weight in reached if weight.grad is not None]):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket]).to(self._device)
            dist.all_reduce(flat)
            _written_back(flat, bucket)
        return bool(reached)


def joined() -> ProcessGroup:
    """The group that this process is in, of one where nobody has set up torch.distributed."""
    return TorchProcessGroup() if dist.is_initialized() else Alone()


def join_process_group(rendezvous: Path, rank: int, size: int, *, interface: str) -> None:
    """Make this process one of `size` that meet in the file `rendezvous`, a new one on their common disk, and listen on
    a network `interface` alone. torch's usual meeting place, a TCPStore, listens on all of them."""
    os.environ["GLOO_SOCKET_IFNAME"] = interface
    store = dist.FileStore(str(rendezvous), size)  # type: ignore[attr-defined]  # it does
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=size, timeout=datetime.timedelta(seconds=TIMEOUT_SECONDS)
    )


def leave() -> None:
    """The end of what `join_process_group` began."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _tensor_buckets(tensors: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Tensors that are sent through the process group together."""
    found: list[list[torch.Tensor]] = []
    room = 0
    for tensor in tensors:
        if tensor.numel() > room or not found:
            found.append([])
            room = BUCKET_NUMBERS
        found[-1].append(tensor)
        room -= tensor.numel()
    return found


def _written_back(flat: torch.Tensor, tensors: Sequence[torch.Tensor]) -> None:
    pieces = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, piece in zip(tensors, pieces, strict=True):
        tensor.copy_(piece.view_as(tensor))
