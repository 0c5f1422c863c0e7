"""Rows to a CSV that reads back value for value, by us and by others."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import IO

Row = Sequence[str]

_MISREAD = re.compile(r"\s*|\ufeff.*|sep=.", re.IGNORECASE | re.DOTALL)
"""First values that would be taken for something else if they stood there bare: a blank line, a byte-order mark, the
line in which Excel is told the delimiter."""


def write_rows(stream: IO[str], header: Row, rows: Iterable[Row], *, delimiter: str) -> None:
    """Write a CSV that reads back value for value."""
    writer = TableWriter(stream, delimiter)
    writer.write(header)
    for row in rows:
        writer.write(row)


class TableWriter:
    """Quotes where a reader would need it; the stream must not translate newlines. Values are never changed."""

    def __init__(self, stream: IO[str], delimiter: str) -> None:
        self._minimal = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self._quoted = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._begun = False

    def write(self, row: Row) -> None:
        """One record, the header first. A lone carriage return is quoted too: csv's minimal quoting overlooks it."""
        if "\r" in "".join(row) or ((not self._begun or len(row) == 1) and _MISREAD.fullmatch(row[0])):
            self._quoted.writerow(row)
        else:
            self._minimal.writerow(row)
        self._begun = True
