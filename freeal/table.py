"""CSV as text: every cell comes in as the characters that stand there, and goes out the same.

Nothing is converted (`007`, `NA`, `1e5` and dates stay what they are), rows keep their order and their line number, and
a row that does not fit the header is refused with its line instead of being shifted.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Self

from freeal.errors import InputError, Where
from freeal.spec import CsvFormat
from freeal.yamlfile import nearest

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_RECORDS = 200
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))

Row = Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV is written, as found or as told."""

    encoding: str = "utf-8"
    delimiter: str = ","
    quoted: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A CSV in memory. `lines[i]` is the line of the file on which row i begins (the header is on line 1)."""

    path: Path
    header: tuple[str, ...]
    rows: list[Row]
    lines: list[int]
    dialect: Dialect

    def column(self, name: str, *, role: str) -> int:
        """Position of a column. Raises `InputError` naming `role` (the spec key) and the nearest name there is."""
        return find_column(self.header, name, role=role, path=self.path)


def find_column(header: Sequence[str], name: str, *, role: str, path: Path) -> int:
    """Position of `name` in a header; `InputError` when it is missing or stands there twice."""
    positions = [position for position, column in enumerate(header) if column == name]
    if len(positions) == 1:
        return positions[0]
    where = Where(file=path, line=1, column=name)
    if positions:
        raise InputError(f"{role} names a column that stands {len(positions)} times", where=where, hint="rename one")
    guess = nearest(name, header)
    hint = f"did you mean {guess!r}?" if guess else f"columns: {', '.join(header)}"
    raise InputError(f"{role} names a column that is not there", where=where, hint=hint)


def read_table(path: Path, format: CsvFormat | None = None) -> Table:  # noqa: A002 - the spec's own word
    """Read a whole CSV. Raises `InputError` with the line for whatever cannot be read as a table."""
    with RowReader(path, format or CsvFormat()) as reader:
        rows, lines = [], []
        for line, row in reader:
            rows.append(row)
            lines.append(line)
        return Table(path, reader.header, rows, lines, reader.dialect)


class RowReader:
    """Rows of a CSV one by one, for files of any size: `header` and `dialect` first, then (line, row) pairs."""

    def __init__(self, path: Path, format: CsvFormat) -> None:  # noqa: A002
        self._path = path
        self.dialect = detect(path, format)
        self._stream = path.open(encoding=self.dialect.encoding, newline="")
        self._records = _records(self._stream, self.dialect, path)
        try:
            self.header = self._read_header()
        except InputError:
            self._stream.close()
            raise

    def _read_header(self) -> tuple[str, ...]:
        for _, names in self._records:
            return tuple(names)
        raise InputError("is empty", where=Where(file=self._path), hint="the first line must name the columns")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        width = len(self.header)
        for line, row in self._records:
            if len(row) != width:
                raise InputError(
                    f"has {len(row)} values where the header names {width} columns",
                    where=Where(file=self._path, line=line),
                    hint="quote values that contain the delimiter or a line break",
                )
            yield line, row


def detect(path: Path, format: CsvFormat) -> Dialect:  # noqa: A002
    """Encoding from the byte-order mark, else UTF-8; delimiter from the first records. What `format` says wins."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as cause:
        raise InputError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    encoding = format.encoding or next((name for bom, name in _BOMS if start.startswith(bom)), "utf-8")
    try:
        "".encode(encoding)
    except LookupError:
        raise InputError(f"encoding {encoding!r} is not known", where=Where(file=path, key="csv.encoding")) from None
    dialect = Dialect(encoding, format.delimiter or ",", format.quoting != "none")
    if format.delimiter:
        return dialect
    return max((dataclasses.replace(dialect, delimiter=mark) for mark in DELIMITERS), key=lambda one: _fit(path, one))


def _fit(path: Path, dialect: Dialect) -> tuple[float, int]:
    """How well the first records fit a delimiter: share of rows as wide as the header, then the width.

    One column always fits, so it wins only over delimiters that fit badly; a file whose header splits but whose quoting
    breaks later is meant to be split, and reading it will say where it breaks.
    """
    widths: list[int] = []
    with path.open(encoding=dialect.encoding, newline="") as stream:
        try:
            widths.extend(len(row) for _, row in itertools.islice(_records(stream, dialect, path), _SAMPLE_RECORDS))
        except InputError:
            return (0.6, widths[0]) if widths and widths[0] > 1 else (0.0, 0)
    if not widths or widths[0] == 1:
        return (0.5, 1)
    return (sum(width == widths[0] for width in widths) / len(widths), widths[0])


def _records(stream: IO[str], dialect: Dialect, path: Path) -> Iterator[tuple[int, Row]]:
    """(line on which it begins, values) of each record; blank lines are no records."""
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        stream,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
        strict=True,
    )
    line = 1
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as cause:
        problem = "a quoted value is never closed" if "end of data" in str(cause) else f"broken quoting: {cause}"
        raise InputError(
            problem,
            where=Where(file=path, line=line),
            hint="close it, or write a quote within a value twice; the record begins on this line",
        ) from cause
    except UnicodeDecodeError as cause:
        raise InputError(
            f"is not {cause.encoding} text after line {line}",
            where=Where(file=path, line=line),
            hint="save it as UTF-8, or name its encoding under csv.encoding",
        ) from cause


def write_rows(stream: IO[str], header: Row, rows: Iterable[Row], *, delimiter: str) -> None:
    """Write a CSV that reads back value for value."""
    writer = TableWriter(stream, delimiter)
    writer.write(header)
    for row in rows:
        writer.write(row)


class TableWriter:
    """Quotes where a reader would need it; the stream must not translate newlines."""

    def __init__(self, stream: IO[str], delimiter: str) -> None:
        self._minimal = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self._quoted = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(self, row: Row) -> None:
        """One record. A lone carriage return is quoted too: csv's minimal quoting overlooks it."""
        (self._quoted if any("\r" in value for value in row) else self._minimal).writerow(row)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or `wanted_2`, `wanted_3`, ... where it is taken."""
    used = set(taken)
    return next(
        name for name in itertools.chain([wanted], (f"{wanted}_{n}" for n in itertools.count(2))) if name not in used
    )
