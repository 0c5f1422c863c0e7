"""Rows of a Parquet file, batch by batch, through pyarrow (extra `parquet`).

Null is empty, a string its characters; numbers, dates, times and booleans are written as pyarrow writes them (1.5, 2,
2024-01-02, true), a list or a struct as JSON, bytes as the UTF-8 text they must be.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from freeal.errors import InputError, Where
from freeal.table.csv_parsing.dialect import Dialect
from freeal.table.not_a_table import refuse_stand_in, start_of
from freeal.table.packed_stream import refuse_swollen

_BATCH_ROWS = 4096
_FIRST_ROW = 2
"""There are no lines; rows count as they would in a CSV."""


class ParquetRows:
    """`header` and `dialect` first, then (row number, row). Raises `InputError`, also where pyarrow is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        parquet = _import_pyarrow("pyarrow.parquet", path)
        refuse_stand_in(start_of(path), path)
        try:
            self._file = parquet.ParquetFile(path)
            self.header = tuple(str(name) for name in self._file.schema_arrow.names)
        except (OSError, ValueError) as cause:  # pyarrow's own errors are among these
            raise InputError(f"is no Parquet file that can be read: {cause}", where=Where(file=path)) from cause
        try:
            self._check()
        except InputError:
            self._file.close()
            raise
        self.dialect = Dialect(form="parquet", found=("utf-8: Parquet",))

    def _check(self) -> None:
        if not self.header:
            raise InputError("names no column", where=Where(file=self._path))
        cells = self._file.metadata.num_rows * len(self.header)  # a run of equal values takes no room at all
        refuse_swollen(cells, packed_bytes=self._path.stat().st_size, path=self._path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        number = _FIRST_ROW
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH_ROWS):
                columns = [
                    _parquet_column_as_text(column, self._path, name=name)
                    for name, column in zip(self.header, batch.columns, strict=True)
                ]
                for row in zip(*columns, strict=True):
                    yield number, list(row)
                    number += 1
        except (OSError, ValueError) as cause:
            raise InputError(
                f"cannot be read: {cause}", where=Where(file=self._path, line=number), hint="write it again"
            ) from cause


def _import_pyarrow(module: str, path: Path) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as cause:
        raise InputError(
            "is a Parquet file, and what reads those is not installed",
            where=Where(file=path),
            hint="pip install 'freeal-daemon[parquet]', or save it as CSV",
        ) from cause


def _parquet_column_as_text(column: Any, path: Path, *, name: str) -> list[str]:
    arrow = _import_pyarrow("pyarrow", path)
    if arrow.types.is_nested(column.type):
        return ["" if value is None else _as_json(value) for value in column.to_pylist()]
    try:
        texts = column.cast(arrow.string()).to_pylist()
        return ["" if text is None else text for text in texts]
    except (NotImplementedError, ValueError) as cause:
        raise InputError(
            f"holds {column.type}, which is no text: {cause}",
            where=Where(file=path, column=name),
            hint="leave the column out",
        ) from cause


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
