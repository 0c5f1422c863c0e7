"""Rows of a CSV, one by one."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table import encoding_detection as encodings
from freeal.table.column_names import numbered_names, told_names
from freeal.table.csv_format import CsvFormat
from freeal.table.csv_parsing.csv_record_parser import MOST_VALUE_CHARACTERS, is_blank, parser
from freeal.table.csv_parsing.delimiter_detection import Preamble, Sample, find_preamble, find_shape
from freeal.table.csv_parsing.dialect import NEVER, Dialect
from freeal.table.csv_parsing.ragged_rows import MOST_LINES_NAMED, Fitting, UnfitError, refusal
from freeal.table.file_formats import form_of, is_plain_csv
from freeal.table.line_source import lines_of, open_bytes
from freeal.table.no_table import refuse_json

_SAMPLE_CHARACTERS = 2**18
_MOST_SAMPLE_LINES = 2_000
_QUOTES = "quote values that contain the delimiter or a line break"
_PAD = "; csv.ragged: pad fills up rows that are too short"


class CsvRows:
    """`header` and `dialect` first, then (line, row) pairs. Raises `InputError` for what is no table."""

    def __init__(self, path: Path, told: CsvFormat) -> None:
        self._path = path
        self._told = told
        self.dialect = detect(path, told)
        self._stream = open_bytes(path)
        lines = lines_of(self._stream, self.dialect.encoding, path)
        self._records = parser(itertools.islice(lines, self.dialect.lines_above, None), self.dialect)
        try:
            self._begun: list[tuple[int, list[str]]] = []
            self.header = self._read_header()
        except InputError:
            self._stream.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        fitting = Fitting.of(self.header, pad=self._told.ragged == "pad")
        width, records, above = fitting.width, self._records, self.dialect.lines_above + 1
        line = records.line_num + above
        yield from self._begun
        try:
            for record in records:
                row = record if len(record) == width else fitting.row(record)
                if row is not None:
                    yield line, row
                line = records.line_num + above
        except (csv.Error, UnfitError) as cause:
            raise self._refuse(cause, line, fitting) from cause

    def _read_header(self) -> tuple[str, ...]:
        line = self.dialect.lines_above + 1
        try:
            for record in self._records:
                if not is_blank(record):
                    return self._names(line, record)
                if len(record) > 1:
                    raise InputError(
                        "names no column",
                        where=Where(file=self._path, line=line),
                        hint=f"if the header stands below, write csv: {{skip_rows: {line}}} in the spec",
                    )
                line = self.dialect.lines_above + self._records.line_num + 1
        except csv.Error as cause:
            problem, hint = _explain(cause, self.dialect)
            raise InputError(problem, where=Where(file=self._path, line=line), hint=hint) from cause
        raise InputError("is empty", where=Where(file=self._path), hint="the first line must name the columns")

    def _names(self, line: int, first: list[str]) -> tuple[str, ...]:
        """The columns' names: the first record, unless the spec says that it is a row."""
        told = self._told.header
        if told is None or told == "first":
            return tuple(first)
        self._begun.append((line, first))
        return numbered_names(len(first)) if told == "none" else told_names(told, width=len(first), path=self._path)

    def _refuse(self, first: Exception, line: int, fitting: Fitting) -> InputError:
        """The first problem and what else there is in the rest of the file."""
        problem, hint = _explain(first, self.dialect, width=fitting.width, ragged=self._told.ragged)
        problems = [(line, problem)]
        try:
            complete = _is_over(first) or self._look_further(problems, fitting)
        except InputError:
            complete = False
        return refusal(problems, path=self._path, complete=complete, hint=hint)

    def _look_further(self, problems: list[tuple[int, str]], fitting: Fitting) -> bool:
        """Add the problems of later lines; whether the file was read to its end."""
        while len(problems) <= MOST_LINES_NAMED:
            line = self._records.line_num + self.dialect.lines_above + 1
            try:
                fitting.row(next(self._records))
            except StopIteration:
                return True
            except (csv.Error, UnfitError) as cause:
                problems.append((line, _explain(cause, self.dialect, width=fitting.width)[0]))
                if _is_over(cause):
                    return False
        return False


def detect(path: Path, told: CsvFormat) -> Dialect:
    """How a CSV is written: encoding by `find_encoding`, delimiter and quoting by its beginning; what is told wins.

    Raises `InputError` for a file that is no text, and for lines above the header.
    """
    encoding = encodings.told(told.encoding, path) if told.encoding else encodings.find_encoding(path)
    guessed = (f"its encoding is {encoding.name}",) if encoding.is_guess else ()
    dialect = Dialect(encoding.name, found=(f"{encoding.name}: {encoding.because}",), guessed=guessed)
    sample = _sample(path, encoding.name, skip=told.skip_rows or 0)
    if told.skip_rows is None and told.header is None:
        refuse_json("".join(sample.lines[:3]), path)
    above, delimiter = told.skip_rows or 0, told.delimiter
    if sample.lines and told.skip_rows is None and (mark := _excels_mark(sample.lines[0])):
        sample, above = Sample(sample.lines[1:], sample.whole), 1
        delimiter = delimiter or mark
    if delimiter is None and form_of(path.name) == "tsv" and sample.lines and "\t" in sample.lines[0]:
        delimiter = "\t"
    shape = find_shape(sample, dialect, delimiter=delimiter, way=told.quoting)
    has_header = told.header in (None, "first")
    if (
        has_header
        and told.skip_rows is None
        and told.ragged != "pad"
        and (found := find_preamble(sample, shape, delimiter=delimiter))
    ):
        raise _preamble_error(path, found, above)
    split = shape.delimiter if shape.delimiter != NEVER else ","
    return dataclasses.replace(
        shape, lines_above=above, output_delimiter=split if is_plain_csv(path.name) else ",", form=form_of(path.name)
    )


def _sample(path: Path, encoding: str, *, skip: int) -> Sample:
    """The first lines, each of them whole."""
    lines: list[str] = []
    characters = 0
    with open_bytes(path) as stream:
        for line in itertools.islice(lines_of(stream, encoding, path), skip, None):
            characters += len(line)
            if characters > _SAMPLE_CHARACTERS or len(lines) >= _MOST_SAMPLE_LINES:
                return Sample([*lines, line] if len(lines) < 2 else lines, whole=False)
            lines.append(line)
    return Sample(lines, whole=True)


def _excels_mark(line: str) -> str | None:
    """The delimiter that a first line `sep=;` tells to Excel."""
    said = line.rstrip("\r\n")
    return said[4] if len(said) == 5 and said.lower().startswith("sep=") and said[4] != '"' else None


def _preamble_error(path: Path, found: Preamble, above: int) -> InputError:
    line, first = found.line + above, above + 1
    names = ", ".join(repr(name) for name in found.names[:4]) + (", ..." if len(found.names) > 4 else "")
    return InputError(
        f"line {first} has {found.first_width} value{_s(found.first_width)}, but the lines from here on "
        f"have {len(found.names)}: this looks like the header ({names})",
        where=Where(file=path, line=line),
        hint=f"if it is, delete the lines above it or write csv: {{skip_rows: {line - 1}}} in the spec; if line "
        f"{first} is the header, write csv: {{skip_rows: {above}}} and {_QUOTES}",
    )


def _explain(cause: Exception, dialect: Dialect, *, width: int = 0, ragged: str | None = None) -> tuple[str, str]:
    """What is wrong with a line, and what to do about it."""
    if isinstance(cause, UnfitError):
        (found,) = cause.args
        hint = _QUOTES + (_PAD if found < width and ragged is None else "")
        return f"has {found} value{_s(found)} where the header names {width} column{_s(width)}", hint
    said = str(cause)
    if "end of data" in said:
        return (
            "a quoted value is never closed",
            "close it, or write a quote within a value twice; the record begins on this line",
        )
    if "field larger than" in said:
        return (
            f"a value has more than {MOST_VALUE_CHARACTERS:,} characters",
            "is a quote never closed? The record begins on this line",
        )
    escapes = "" if dialect.quoting == "backslash" else '; csv.quoting: backslash, if they are written \\"'
    return (
        f"broken quoting: {said}",
        f"write a quote within a quoted value twice{escapes}; the record begins on this line",
    )


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def _is_over(cause: Exception) -> bool:
    """Whether nothing can be said about what follows."""
    return isinstance(cause, csv.Error) and ("end of data" in str(cause) or "field larger" in str(cause))
