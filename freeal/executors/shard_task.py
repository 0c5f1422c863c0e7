"""The contract between work over shards and whatever runs it: here, or on many machines.

A task says what is to be done to a shard; an executor does it to all of them. Both executors leave the same bytes in
the same files, so one goes on with what the other has begun (tests/freeal/executors/test_executor_contract.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

ShardFunction = Callable[[Any], Any]
"""From a shard's pyarrow table to the table of its results, row by row."""

Engine = Literal["local", "ray"]


class ShardTask(Protocol):
    """What is to be done to each shard: a small value that can be sent to another machine (it is pickled)."""

    @property
    def identity(self) -> str:
        """Everything beside a shard's rows that changes its result: part of the result's file name."""

    @property
    def folder(self) -> Path | None:
        """The folder it reads (a model), if any: it travels to machines that do not share this one's disk."""

    def open(self, folder: Path | None) -> ShardFunction:
        """Load what is needed, once per process, from `folder`: where its folder lies on this machine."""
