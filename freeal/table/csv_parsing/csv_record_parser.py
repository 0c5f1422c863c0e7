"""Lines to records: Python's csv, told how this file is written."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from freeal.table.csv_parsing.dialect import Dialect

if TYPE_CHECKING:
    import _csv

MOST_VALUE_CHARACTERS = 32 * 2**20
"""Of one value. A quote that is never closed must not draw a file of any size into memory."""

_BACKSLASH = re.compile(r'\\(["\\]?)')


def parser(lines: Iterable[str], dialect: Dialect) -> _csv.Reader:
    """Records of a CSV as lists, an empty one for an empty line; `line_num` counts the lines taken.

    Raises `csv.Error` for broken quoting, and goes on with the next line when asked again.
    """
    csv.field_size_limit(MOST_VALUE_CHARACTERS)
    escapes = dialect.quoting == "backslash"
    return csv.reader(
        map(_keep_other_backslashes, lines) if escapes else lines,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_NONE if dialect.quoting == "none" else csv.QUOTE_MINIMAL,
        escapechar="\\" if escapes else None,
        skipinitialspace=dialect.spaced,
        strict=True,
    )


def is_blank(record: Iterable[str]) -> bool:
    """Whether a record holds nothing but spaces and delimiters (or the end-of-file mark of DOS)."""
    return not "".join(record).strip(" \t\r\n\x1a")


def _keep_other_backslashes(line: str) -> str:
    """A backslash escapes a quote or a backslash; before anything else (`C:\\new`) it is a character like others."""
    return _BACKSLASH.sub(lambda found: found[0] if found[1] else "\\\\", line) if "\\" in line else line


def numbered(lines: Iterator[str], dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(line it begins on, record) of each record that is not blank; for a look at the first of them."""
    records = parser(lines, dialect)
    begins = 1
    for record in records:
        if not is_blank(record):
            yield begins, record
        begins = records.line_num + 1
