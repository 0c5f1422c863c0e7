"""Reading a table whatever its form: row by row, or whole."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

from freeal.errors import InputError, Where
from freeal.table.column_names import find_column, repeats_header
from freeal.table.csv_format import CsvFormat
from freeal.table.csv_parsing.csv_rows import CsvRows
from freeal.table.csv_parsing.dialect import Dialect
from freeal.table.csv_writer import Row
from freeal.table.file_formats import form_of
from freeal.table.json_lines import JsonRows
from freeal.table.parquet import ParquetRows
from freeal.table.workbook_reader import WorkbookRows

_OF_ANY_TABLE = {"skip_rows_after_header", "repeated_header", "output_encoding"}
_HEARD = {
    "jsonl": {"encoding", "output_encoding"},
    "parquet": _OF_ANY_TABLE,
    "xlsx": _OF_ANY_TABLE | {"header", "skip_rows", "sheet"},
}
"""What `csv` in a spec may say about a table that is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table in memory. `lines[i]` is the line of the file on which row i begins (the header is usually on line 1)."""

    path: Path
    header: tuple[str, ...]
    rows: list[Row]
    lines: list[int]
    dialect: Dialect

    def column(self, name: str, *, role: str) -> int:
        """Position of a column. Raises `InputError` naming `role` (the spec key) and the nearest name there is."""
        return find_column(self.header, name, role=role, path=self.path, line=self.dialect.lines_above + 1)


class _Rows(Protocol):
    header: tuple[str, ...]
    dialect: Dialect

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]: ...

    def close(self) -> None: ...


def read_table(path: Path, format: CsvFormat | None = None) -> Table:  # noqa: A002 - the spec's own word
    """Read a whole table. Raises `InputError` with the line for whatever cannot be read as one."""
    with RowReader(path, format or CsvFormat()) as reader:
        rows, lines = [], []
        for line, row in reader:
            rows.append(row)
            lines.append(line)
        return Table(path, reader.header, rows, lines, reader.dialect)


class RowReader:
    """Rows one by one, for files of any size: `header` and `dialect` first, then (line, row) pairs, once.

    Each row has as many values as the header. In a Parquet file, which has no lines, rows count from 2.
    Raises `InputError`, with the line where there is one, for whatever cannot be read as a table.
    """

    def __init__(self, path: Path, format: CsvFormat) -> None:  # noqa: A002
        self._format = format
        self._rows = _open_rows(path, format)
        self.header = self._rows.header
        found = self._rows.dialect
        encoding = format.output_encoding or ("utf-8-sig" if found.is_of_a_spreadsheet else "utf-8")
        self.dialect = dataclasses.replace(found, output_encoding=encoding)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        rows = itertools.islice(self._rows, self._format.skip_rows_after_header or 0, None)
        if self._format.repeated_header != "skip":
            return rows
        return ((line, row) for line, row in rows if not repeats_header(row, self.header))


def _open_rows(path: Path, told: CsvFormat) -> _Rows:
    form = form_of(path.name)
    if form in ("csv", "tsv"):
        if told.sheet is not None:
            raise InputError("has no sheets", where=Where(file=path, key="csv.sheet"), hint="leave the key out")
        return CsvRows(path, told)
    for key in sorted(told.model_fields_set - _HEARD[form]):
        if getattr(told, key) is not None:
            raise InputError(
                f"is no CSV, so nothing can be said about its {key}",
                where=Where(file=path, key=f"csv.{key}"),
                hint="leave the key out",
            )
    if form == "xlsx":
        return WorkbookRows(path, told)
    return JsonRows(path, told) if form == "jsonl" else ParquetRows(path)
