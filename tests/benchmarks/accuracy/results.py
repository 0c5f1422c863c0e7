"""Records of finished cells, one JSON object per line, only ever appended to: a killed run loses the cell it was at.

A record holds `cell`, `overrides`, `status` (done, failed), `scores`, `rounds`, `calls`, `from_store`, `seconds`, and
where it came from: `versions`, `machine`, `commit`, `date`.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import Cell, key_of

Record = dict[str, Any]


class Results:
    """The records of one file. It need not exist yet."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def records(self) -> list[Record]:
        """All records, oldest first. A last line that was cut off is left out; any other damage raises ValueError."""
        if not self.file.exists():
            return []
        lines = self.file.read_text(encoding="utf-8").split("\n")
        found = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                found.append(json.loads(line))
            except ValueError as cause:
                raise ValueError(f"{self.file}, line {number}: is no record: {cause}") from cause
        return found

    def latest(self) -> dict[str, Record]:
        """The newest finished record of every cell, by the cell's key; failures are not results."""
        done = (record for record in self.records() if record["status"] == "done")
        return {key_of(record["cell"], record["overrides"]): record for record in done}

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; on disk when this returns."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, default=dict)
        with self.file.open("a+b") as stream:
            self._drop_cut_line(stream)
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _drop_cut_line(self, stream: Any) -> None:
        size = stream.seek(0, os.SEEK_END)
        if size:
            stream.seek(size - 1)
            if stream.read(1) != b"\n":
                whole = self.file.read_bytes().rpartition(b"\n")[0]
                stream.truncate(len(whole) + 1 if whole else 0)


def seconds_left(cells: Iterable[Cell], records: Sequence[Record]) -> tuple[float, int]:
    """How long `cells` will take by what like cells took, and how many of them nothing is known of.

    A cell is like another when data set, method and language model are the same; else when only the method is. Seconds
    are scaled by the number of rows where both are known.
    """
    total, unknown = 0.0, 0
    done = [record for record in records if record["status"] == "done"]
    for cell in cells:
        same_method = [record for record in done if record["cell"]["method"] == cell.method]
        alike = [r for r in same_method if r["cell"]["data"] == cell.data and r["cell"]["llm"] == cell.llm]
        known = [_scaled(record, cell) for record in alike or same_method]
        total += statistics.fmean(known) if known else 0.0
        unknown += not known
    return total, unknown


def _scaled(record: Record, cell: Cell) -> float:
    measured = record["cell"]["rows"]
    scale = cell.rows / measured if cell.rows and measured else 1.0
    return float(record["seconds"]) * scale
