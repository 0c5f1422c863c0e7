"""Rows of a CSV, one by one."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table.column_names import numbered_names, told_names
from freeal.table.csv_format import CsvFormat
from freeal.table.csv_parsing.csv_record_parser import MOST_VALUE_CHARACTERS, csv_record_parser, is_blank
from freeal.table.csv_parsing.dialect import Dialect
from freeal.table.csv_parsing.dialect_detection import QUOTE_HINT, detect_dialect
from freeal.table.csv_parsing.ragged_rows import MOST_LINES_NAMED, Fitting, UnfitError, ragged_rows_error
from freeal.table.packed_stream import open_bytes
from freeal.table.text_lines import lines_of

_PAD = "; csv.ragged: pad fills up rows that are too short"


class CsvRows:
    """`header` and `dialect` first, then (line, row) pairs. Raises `InputError` for what is no table."""

    def __init__(self, path: Path, told: CsvFormat) -> None:
        self._path = path
        self._told = told
        self.dialect = detect_dialect(path, told)
        self._stream = open_bytes(path)
        lines = lines_of(self._stream, self.dialect.encoding, path)
        self._records = csv_record_parser(itertools.islice(lines, self.dialect.lines_above, None), self.dialect)
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
                row = record if len(record) == width else fitting.fit_row(record)
                if row is not None:
                    yield line, row
                line = records.line_num + above
        except (csv.Error, UnfitError) as cause:
            raise self._csv_error(cause, line, fitting) from cause

    def _read_header(self) -> tuple[str, ...]:
        line = self.dialect.lines_above + 1
        try:
            for record in self._records:
                if not is_blank(record):
                    return self._column_names(line, record)
                if len(record) > 1:
                    raise InputError(
                        "names no column",
                        where=Where(file=self._path, line=line),
                        hint=f"if the header stands below, write csv: {{skip_rows: {line}}} in the spec",
                    )
                line = self.dialect.lines_above + self._records.line_num + 1
        except csv.Error as cause:
            problem, hint = _explain_csv_problem(cause, self.dialect)
            raise InputError(problem, where=Where(file=self._path, line=line), hint=hint) from cause
        raise InputError("is empty", where=Where(file=self._path), hint="the first line must name the columns")

    def _column_names(self, line: int, first: list[str]) -> tuple[str, ...]:
        """The columns' names: the first record, unless the spec says that it is a row."""
        told = self._told.header
        if told is None or told == "first":
            return tuple(first)
        self._begun.append((line, first))
        return numbered_names(len(first)) if told == "none" else told_names(told, width=len(first), path=self._path)

    def _csv_error(self, first: Exception, line: int, fitting: Fitting) -> InputError:
        """The first problem and what else there is in the rest of the file."""
        problem, hint = _explain_csv_problem(first, self.dialect, width=fitting.width, ragged=self._told.ragged)
        problems = [(line, problem)]
        try:
            complete = _is_over(first) or self._look_for_further_problems(problems, fitting)
        except InputError:
            complete = False
        return ragged_rows_error(problems, path=self._path, complete=complete, hint=hint)

    def _look_for_further_problems(self, problems: list[tuple[int, str]], fitting: Fitting) -> bool:
        """Add the problems of later lines; whether the file was read to its end."""
        while len(problems) <= MOST_LINES_NAMED:
            line = self._records.line_num + self.dialect.lines_above + 1
            try:
                fitting.fit_row(next(self._records))
            except StopIteration:
                return True
            except (csv.Error, UnfitError) as cause:
                problems.append((line, _explain_csv_problem(cause, self.dialect, width=fitting.width)[0]))
                if _is_over(cause):
                    return False
        return False


def _explain_csv_problem(
    cause: Exception, dialect: Dialect, *, width: int = 0, ragged: str | None = None
) -> tuple[str, str]:
    """What is wrong with a line, and what to do about it."""
    if isinstance(cause, UnfitError):
        (found,) = cause.args
        hint = QUOTE_HINT + (_PAD if found < width and ragged is None else "")
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
