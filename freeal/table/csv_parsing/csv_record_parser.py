"""Lines to records: Python's csv, told how this file is written."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from freeal.table.csv_parsing.dialect import DELIMITERS, Dialect

MOST_VALUE_CHARACTERS = 32 * 2**20
"""Of one value. A quote that is never closed must not draw a file of any size into memory."""

_BACKSLASH = re.compile(r'\\(["\\]?)')


class Records(Protocol):
    """Records of a CSV as lists; `line_num` counts the lines taken."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def csv_record_parser(lines: Iterable[str], dialect: Dialect) -> Records:
    """Records of a CSV as lists, an empty one for an empty line.

    Raises `csv.Error` for broken quoting, and goes on with the next line when asked again.
    """
    csv.field_size_limit(MOST_VALUE_CHARACTERS)
    escapes = dialect.quoting == "backslash"
    if dialect.quoting == "lines":
        return _Unwrapped(lines, dialect)
    return csv.reader(
        map(_keep_other_backslashes, lines) if escapes else lines,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_NONE if dialect.quoting == "none" else csv.QUOTE_MINIMAL,
        escapechar="\\" if escapes else None,
        skipinitialspace=dialect.spaced,
        strict=True,
    )


class _Unwrapped:
    """Records of a file whose lines, or some of them, stand in quotes as one value each."""

    def __init__(self, lines: Iterable[str], dialect: Dialect) -> None:
        self._usual = dataclasses.replace(dialect, quoting="minimal")
        others = re.escape("".join(set(DELIMITERS) - {dialect.delimiter}))
        tail = re.compile(rf'(?<=")[{others}]+(?=[\r\n]*\Z)')  # "1,good";; has empty columns of another spreadsheet
        self._outer = csv_record_parser(
            (tail.sub("", line) if line.startswith('"') else line for line in lines), self._usual
        )

    @property
    def line_num(self) -> int:
        return self._outer.line_num

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        record = next(self._outer)
        if record and self._usual.delimiter in record[0] and not any(record[1:]):
            return next(iter(csv_record_parser([record[0]], self._usual)))
        return record


def is_blank(record: Iterable[str]) -> bool:
    """Whether a record holds nothing but spaces and delimiters (or the end-of-file mark of DOS)."""
    return not "".join(record).strip(" \t\r\n\x1a")


def _keep_other_backslashes(line: str) -> str:
    """A backslash escapes a quote or a backslash; before anything else (`C:\\new`) it is a character like others."""
    return _BACKSLASH.sub(lambda found: found[0] if found[1] else "\\\\", line) if "\\" in line else line


def numbered_records(lines: Iterator[str], dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(line it begins on, record) of each record that is not blank; for a look at the first of them."""
    records = csv_record_parser(lines, dialect)
    begins = 1
    for record in records:
        if not is_blank(record):
            yield begins, record
        begins = records.line_num + 1
