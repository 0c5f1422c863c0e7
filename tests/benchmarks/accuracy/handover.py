"""What the cell `freeal` leaves for `plain`: the language model's labels after the first round, as a JSON file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cells import Cell

from freeal.files import atomic_write

LEFT_BY = "freeal"


class NothingLeftError(RuntimeError):
    """The cell that should have left annotations was not run yet, or on other texts."""


def save(folder: Path, cell: Cell, *, texts: Sequence[str], labels: Sequence[str | None]) -> None:
    """Keep `labels` (by pool index) for other cells of the same data, seed, rows, language model and student."""
    file = _file(folder, cell)
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write.write_json(file, {"texts": _digest(texts), "labels": list(labels)})


def load(folder: Path, cell: Cell, *, texts: Sequence[str]) -> list[str | None]:
    """The labels by pool index. Raises `NothingLeftError` when there are none for these texts."""
    file = _file(folder, cell)
    if not file.exists():
        raise NothingLeftError(f"needs the annotations of the cell {LEFT_BY!r} of the same data and seed: run it first")
    content = json.loads(file.read_text(encoding="utf-8"))
    if content["texts"] != _digest(texts):
        raise NothingLeftError(f"{file} is of other texts: run the cell {LEFT_BY!r} again (--again)")
    labels: list[str | None] = content["labels"]
    return labels


def _file(folder: Path, cell: Cell) -> Path:
    llm = Path(cell.llm).name
    exact = hashlib.sha256(cell.llm.encode()).hexdigest()[:8]
    rows = "all" if cell.rows is None else str(cell.rows)
    student = Path(cell.student).name
    return folder / "annotations" / f"{cell.data}-{cell.seed}-{rows}-{llm}-{exact}-{student}.json"


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
