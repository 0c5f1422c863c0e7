"""A table cut into Parquet files, and what tasks made of them: every file is named after its content.

    shards.json                    what was cut, and the shards in order
    shard-000003-<digest>.parquet  `row_id` int64 (0 is the first row of the table) and what the rows hold
    result-<digest>.parquet        of one shard and one task, whichever executor made it; the same rows, the same order

All are written beside their place and renamed, so that each is complete or absent.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from freeal.errors import ConfigError, InputError, Where
from freeal.executors.shard_task import ShardTask
from freeal.files import atomic_write

SHARD_ROWS = 50_000
ROW_ID = "row_id"
_MANIFEST = "shards.json"
_FORMAT = 1


class ShardFolder:
    """The shards of one table, in order."""

    def __init__(self, folder: Path, names: Iterable[str], *, rows: int, note: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.names = tuple(names)
        self.rows = rows
        self.note = note or {}

    @classmethod
    def opened(cls, folder: Path, *, origin: str) -> ShardFolder | None:
        """What was cut before from the same `origin` (a digest of all that the shards depend on), if it is whole."""
        try:
            found = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            if (found["format"], found["origin"]) != (_FORMAT, origin):
                return None
            shards = cls(folder, found["shards"], rows=found["rows"], note=found["note"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return shards if all((folder / name).is_file() for name in shards.names) else None

    @classmethod
    def write(
        cls, folder: Path, tables: Iterable[Any], *, origin: str, note: dict[str, Any] | None = None
    ) -> ShardFolder:
        """Write the shards (pyarrow tables with `row_id`), then what says that they are all. Shards of another origin
        and results without a shard are taken away. `note` is kept with them."""
        writer = ShardWriter(folder, origin=origin)
        for table in tables:
            writer.add_shard(table)
        return writer.complete_shards(note)

    def table(self, name: str) -> Any:
        """A shard as a pyarrow table."""
        return _read_shard(self.folder / name)

    def result_file(self, task: ShardTask, name: str) -> Path:
        """Where the result of a shard lies, or will."""
        digest = hashlib.sha256(f"{_FORMAT} {task.identity} {name.rpartition('-')[2]}".encode()).hexdigest()
        return self.folder / f"result-{digest[:32]}.parquet"

    def result(self, task: ShardTask, name: str) -> Any:
        """The result of a shard as a pyarrow table. Raises `InputError` where it is not there or damaged."""
        return _read_shard(self.result_file(task, name))

    def keep(self, task: ShardTask, name: str, content: bytes) -> None:
        """Put an encoded result in its place; one that is there stays."""
        if not (file := self.result_file(task, name)).is_file():
            _write(file, content)

    def missing(self, task: ShardTask) -> list[str]:
        """The shards without a result, in order; shards of equal content count once."""
        by_result = {self.result_file(task, name): name for name in reversed(self.names)}
        return sorted(name for file, name in by_result.items() if not file.is_file())

    def results(self, task: ShardTask) -> Iterator[Any]:
        """All results, in the order of the rows."""
        return (self.result(task, name) for name in self.names)

    def remove(self) -> None:
        """Away with everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


class ShardWriter:
    """Shards cut one by one; until `complete_shards`, nothing says that they are all."""

    def __init__(self, folder: Path, *, origin: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MANIFEST).unlink(missing_ok=True)
        self._folder, self._origin = folder, origin
        self._names: list[str] = []
        self.rows = 0

    def add_shard(self, table: Any) -> None:
        """The next shard; one of the same content that is there already stays."""
        content = encoded_shard(table)
        name = f"shard-{len(self._names):06d}-{hashlib.sha256(content).hexdigest()[:24]}.parquet"
        if not (self._folder / name).is_file():
            _write(self._folder / name, content)
        self._names.append(name)
        self.rows += table.num_rows

    def complete_shards(self, note: dict[str, Any] | None = None) -> ShardFolder:
        """That was the last one."""
        names = set(self._names)
        for stale in self._folder.glob("shard-*.parquet"):
            if stale.name not in names:
                stale.unlink()
        content = {"format": _FORMAT, "origin": self._origin, "rows": self.rows, "shards": self._names}
        atomic_write.write_json(self._folder / _MANIFEST, content | {"note": note or {}})
        return ShardFolder(self._folder, self._names, rows=self.rows, note=note)


def encoded_shard(table: Any) -> bytes:
    """A pyarrow table as the bytes of its file: the same for the same rows."""
    sink = import_pyarrow().BufferOutputStream()
    _parquet().write_table(table.combine_chunks(), sink, compression="zstd", use_dictionary=False, store_schema=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decoded(content: bytes) -> Any:
    """The pyarrow table of encoded bytes."""
    return _parquet().read_table(import_pyarrow().BufferReader(content))


def import_pyarrow() -> Any:
    """The module pyarrow. Raises `ConfigError` where it is not installed."""
    try:
        import pyarrow  # type: ignore[import-untyped]
    except ImportError as cause:
        raise ConfigError(
            "shards are Parquet files, and pyarrow is not installed", hint="pip install 'freeal-daemon[ray]'"
        ) from cause
    return pyarrow


def _parquet() -> Any:
    import_pyarrow()
    from pyarrow import parquet

    return parquet


def _read_shard(path: Path) -> Any:
    try:
        return decoded(path.read_bytes())
    except (OSError, ValueError) as cause:  # pyarrow's own errors are among these
        hint = f"delete {path.parent} and begin anew"
        raise InputError(f"cannot be read: {cause}", where=Where(file=path), hint=hint) from cause


def _write(path: Path, content: bytes) -> None:
    with atomic_write.replacing(path) as stream:
        stream.write(content)
