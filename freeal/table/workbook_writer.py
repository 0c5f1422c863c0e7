"""A finished CSV as an Excel workbook: every cell text, so that 007, dates and formulas stay what they are."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from freeal.errors import InputError, Where
from freeal.table.csv_format import CsvFormat
from freeal.table.table_reader import RowReader

MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
"""What one sheet, and one cell of it, can hold."""
_SHEET = "labelled"


def write_workbook(source: Path, target: Path, *, long_values: Literal["refuse", "cut"] = "refuse") -> None:
    """Write the rows of `source`, a CSV of ours, into a workbook. The caller gives `target` its name when it is whole.
    `cut`: what is too long for a cell ends with an ellipsis; the CSV beside it has all of it.

    Raises `InputError` where openpyxl is missing, and for what no workbook holds.
    """
    try:
        openpyxl = importlib.import_module("openpyxl")
        cells = importlib.import_module("openpyxl.cell")
        escape = importlib.import_module("openpyxl.utils.escape").escape
    except ModuleNotFoundError as cause:
        raise InputError(
            "a workbook is wanted, and what writes those is not installed",
            where=Where(file=target),
            hint="pip install 'freeal-daemon[xlsx]', or name a .csv",
        ) from cause
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(_SHEET)
    sheet.freeze_panes = "A2"

    def cell(value: str) -> Any:
        made = cells.WriteOnlyCell(sheet)
        shown = escape(value)
        made.value = shown if len(shown) <= MOST_CHARACTERS else shown[: MOST_CHARACTERS - 1] + "…"
        made.data_type = "s"  # a text that begins with = is no formula of ours
        return made

    try:
        with RowReader(source, CsvFormat(encoding="utf-8", header="first", skip_rows=0)) as reader:
            sheet.append([cell(name) for name in reader.header])
            for number, (line, row) in enumerate(reader, start=2):
                _check_fits_sheet(row, number, Where(file=source, line=line), long_values)
                sheet.append([cell(value) for value in row])
    except InputError:
        sheet.close()  # a sheet that was begun keeps a file open
        raise
    book.save(target)


def _check_fits_sheet(row: Sequence[str], number: int, where: Where, long_values: str) -> None:
    if number > MOST_ROWS:
        raise InputError(f"has more than {MOST_ROWS:,} rows, which no sheet holds", where=where)
    if long_values == "refuse" and any(len(value) > MOST_CHARACTERS for value in row):
        problem = f"a value has more than {MOST_CHARACTERS:,} characters, which no cell of a workbook holds"
        raise InputError(problem, where=where, hint="write a .csv instead")
