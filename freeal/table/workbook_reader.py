"""Rows of an Excel workbook (.xlsx), through openpyxl (extra `xlsx`): cells as a person sees them, not as stored.

A formula is its last result, a number keeps the zeros and decimals of its format (`007`, `1.50`, `12 %` as `12%`), a
date is 2024-01-02, with the time where there is one, TRUE and FALSE are those words, an error is its sign (`#N/A`).
Thousands are not grouped: how, depends on the reader's country. Empty rows are none.
"""

from __future__ import annotations

import datetime
import importlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from freeal.errors import InputError, Where
from freeal.table.column_names import numbered_names, told_names
from freeal.table.csv_format import CsvFormat
from freeal.table.csv_parsing.dialect import Dialect
from freeal.table.csv_parsing.ragged_rows import MOST_LINES_NAMED, ragged_rows_error
from freeal.table.not_a_table import refuse_stand_in, start_of
from freeal.table.packed_stream import refuse_swollen

MOST_LINES_ABOVE = 20
"""So far below a title a header is looked for."""
_OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"
_FIXED = re.compile(r"(0+)(?:\.(0+))?(\s*%)?")
"""A number format that asks for zeros: 00000, 0.00, 0%, 0.0 %. Grouping (#,##0) and what is quoted are left out."""
_NO_DIGITS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.|[#,?\s]')


class WorkbookRows:
    """`header` and `dialect` first, then (row number, row). Raises `InputError`, also where openpyxl is missing."""

    def __init__(self, path: Path, told: CsvFormat) -> None:
        self._path, self._told = path, told
        _refuse_zip_bomb(path)
        self._book = _open_workbook(path, values=True)
        try:
            self._sheet = _sheet_of(self._book, told.sheet, path)
            self.header, self._first_row, self._begun = self._read_header()
            self._refuse_uncomputed()
        except InputError:
            self.close()
            raise
        self.dialect = Dialect(
            form="xlsx",
            lines_above=self._first_row - 1 if not self._begun else 0,
            found=(f"sheet {self._sheet.title!r} of an Excel workbook",),
        )

    def close(self) -> None:
        """Close the file."""
        self._book.close()

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        width = len(self.header)
        problems: list[tuple[int, str]] = []
        hint = ""
        for number, row in self._begun:
            yield number, row
        for number, row in self._rows_as_text(after=self._first_row):
            if any(row[width:]):
                filled = max(place for place, value in enumerate(row, start=1) if value)
                names = f"the header names {width} column{'' if width == 1 else 's'}"
                problems.append((number, f"has a value in column {filled} where {names}"))
                hint = hint or self._advice_on_wide_row(number, row[:filled])
            if len(problems) > MOST_LINES_NAMED:
                break
            if not problems:
                yield number, (row[:width] + [""] * (width - len(row)))
        if problems:
            raise ragged_rows_error(problems, path=self._path, complete=False, hint=hint)

    def _advice_on_wide_row(self, number: int, row: Sequence[str]) -> str:
        """What to do about the first row that is wider than the header: below a title, it may be the header itself."""
        mend = "name the column, or empty the cell"
        is_told = self._told.skip_rows is not None or self._told.header is not None
        if is_told or number > self._first_row + MOST_LINES_ABOVE or not all(value.strip() for value in row):
            return mend
        names = ", ".join(map(repr, row[:4])) + (", ..." if len(row) > 4 else "")
        return (
            f"if line {number} is the header ({names}), write csv: {{skip_rows: {number - 1}}} in the spec; else {mend}"
        )

    def _read_header(self) -> tuple[tuple[str, ...], int, list[tuple[int, list[str]]]]:
        for number, row in self._rows_as_text(after=self._told.skip_rows or 0):
            last = max(place for place, value in enumerate(row, start=1) if value.strip())
            first = [value.replace("\n", " ").strip() if self._has_header else value for value in row[:last]]
            if self._has_header:
                return tuple(first), number, []
            told = self._told.header
            names = (
                numbered_names(last) if not isinstance(told, tuple) else told_names(told, width=last, path=self._path)
            )
            return names, number, [(number, first)]
        raise InputError(
            "is empty", where=Where(file=self._path), hint=f"sheet {self._sheet.title!r} must name the columns first"
        )

    @property
    def _has_header(self) -> bool:
        return self._told.header in (None, "first")

    def _rows_as_text(self, *, after: int) -> Iterator[tuple[int, list[str]]]:
        """(row number, cells as text) of each row behind `after` in which there is anything."""
        try:
            for number, cells in enumerate(self._sheet.iter_rows(min_row=after + 1), start=after + 1):
                row = [_cell_text(cell) for cell in cells]
                if any(value.strip() for value in row):
                    yield number, row
        except (KeyError, ValueError, OSError, SyntaxError, zipfile.BadZipFile) as cause:
            raise InputError(
                f"is a damaged workbook: {cause}", where=Where(file=self._path), hint="save it again"
            ) from cause

    def _refuse_uncomputed(self) -> None:
        """A formula whose result nobody stored: a program wrote it, and no spreadsheet has opened it since."""
        if not _has_formulas(self._path):
            return
        formulas = _open_workbook(self._path, values=False)
        try:
            sheet = formulas[self._sheet.title]
            sheet.reset_dimensions()
            for cells, results in zip(sheet.iter_rows(), self._sheet.iter_rows(), strict=False):
                for cell, result in zip(cells, results, strict=False):
                    if cell.value is not None and result.value is None and cell.data_type == "f":
                        raise InputError(
                            f"holds a formula without a result ({cell.coordinate}: {cell.value})",
                            where=Where(file=self._path, line=cell.row),
                            hint="open it in a spreadsheet and save it, or write values instead",
                        )
        finally:
            formulas.close()


def row_count(path: Path) -> int:
    """Rows that the first sheet says it has, its header among them; 0 where it does not, or cannot be read."""
    try:
        book = _open_workbook(path, values=True, reset=False)
        try:
            return int(book.worksheets[0].max_row or 0)
        finally:
            book.close()
    except (InputError, IndexError):
        return 0


def _open_workbook(path: Path, *, values: bool, reset: bool = True) -> Any:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ModuleNotFoundError as cause:
        raise InputError(
            "is an Excel workbook, and what reads those is not installed",
            where=Where(file=path),
            hint="pip install 'freeal-daemon[xlsx]', or save it as CSV (UTF-8)",
        ) from cause
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that are of no concern here
            book = openpyxl.load_workbook(path, read_only=True, data_only=values)
    except (KeyError, ValueError, OSError, SyntaxError, zipfile.BadZipFile) as cause:
        raise InputError(f"is no Excel workbook that can be read: {cause}", where=Where(file=path)) from cause
    for sheet in book.worksheets if reset else ():
        sheet.reset_dimensions()  # some programs write a size that is not true
    return book


def _sheet_of(book: Any, told: str | None, path: Path) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    if told is not None:
        if told not in names:
            raise InputError(
                f"has no sheet {told!r}",
                where=Where(file=path, key="csv.sheet"),
                hint=f"its sheets: {', '.join(map(repr, names))}",
            )
        return book[told]
    filled = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible" and _is_filled(sheet)]
    if len(filled) > 1:
        found = ", ".join(repr(sheet.title) for sheet in filled)
        raise InputError(
            f"has {len(filled)} sheets with something in them: {found}",
            where=Where(file=path),
            hint=f"write csv: {{sheet: {filled[0].title}}} in the spec, or keep one of them",
        )
    if not filled:
        raise InputError("is empty", where=Where(file=path), hint="the first row must name the columns")
    return filled[0]


def _is_filled(sheet: Any) -> bool:
    return any(cell.value is not None for row in sheet.iter_rows() for cell in row)


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            if name.startswith("xl/worksheets/"):
                with packed.open(name) as stream:
                    while block := stream.read(1 << 20):
                        if b"<f>" in block or b"<f " in block:
                            return True
    return False


def _refuse_zip_bomb(path: Path) -> None:
    try:
        start = start_of(path)
        refuse_stand_in(start, path)
        if start.startswith(_OLD_OR_LOCKED):
            hint = "save it as .xlsx without a password"
            raise InputError("is an old Excel workbook, or one with a password", where=Where(file=path), hint=hint)
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        refuse_swollen(unpacked, packed_bytes=path.stat().st_size, path=path)
    except zipfile.BadZipFile as cause:
        raise InputError(
            "is no Excel workbook that can be read", where=Where(file=path), hint="save it again"
        ) from cause
    except OSError as cause:
        raise InputError(f"cannot be read: {cause.strerror or cause}", where=Where(file=path)) from cause


def _cell_text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value) if "_x" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        shows_time = any(mark in str(cell.number_format).lower() for mark in ("h", "ss"))
        return (
            value.isoformat(" ", "seconds")
            if shows_time or value.time() != datetime.time()
            else value.date().isoformat()
        )
    if isinstance(value, int | float):
        return _formatted_number(value, str(cell.number_format or "General"))
    return str(value)


def _formatted_number(value: float, form: str) -> str:
    fixed = _FIXED.fullmatch(_NO_DIGITS.sub("", form.partition(";")[0]))
    if fixed is not None:
        zeros, decimals, percent = fixed.groups()
        places = len(decimals or "")
        shown = f"{abs(value) * (100 if percent else 1):.{places}f}"
        whole = shown.rjust(len(zeros) + (places + 1 if places else 0), "0")
        return f"{'-' if value < 0 else ''}{whole}{'%' if percent else ''}"
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return f"{value:.15g}"  # as many digits as Excel keeps: 0.1 + 0.2 is 0.3


def _unescaped(value: str) -> str:
    """`_x000D_` and the like are how a workbook writes characters that XML cannot hold."""
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), value).replace("\r\n", "\n")
