"""A task over shards for tests of executors: it notes each shard it begins, takes its time, and may end its process."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from freeal.executors.shard_folder import ROW_ID
from freeal.executors.shard_task import ShardFunction


@dataclasses.dataclass(frozen=True, slots=True)
class NotedTask:
    """Gives the rows back, with nothing added. `notes` gets a line with the first row's id of every shard begun;
    `dies_at` is such an id at which the process ends."""

    notes: Path
    seconds: float = 0.0
    dies_at: int | None = None
    folder: Path | None = None

    @property
    def identity(self) -> str:
        """The same for all."""
        return "NotedTask"

    def open(self, folder: Path | None) -> ShardFunction:
        """Nothing is loaded."""
        del folder

        def note(table: Any) -> Any:
            first = table.column(ROW_ID)[0].as_py()
            with self.notes.open("a", encoding="ascii") as stream:
                stream.write(f"{first}\n")
            if first == self.dies_at:
                os._exit(9)
            time.sleep(self.seconds)
            return table.select([ROW_ID])

        return note

    def begun(self) -> list[int]:
        """The first rows' ids of the shards begun so far."""
        return [int(line) for line in self.notes.read_text(encoding="ascii").split()] if self.notes.exists() else []
