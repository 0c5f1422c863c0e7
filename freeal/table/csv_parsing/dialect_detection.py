"""How a CSV is written: its beginning is read in every way, and the delimiter and quoting that fit best are taken."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from freeal.errors import InputError, Where
from freeal.table import encoding_detection as encodings
from freeal.table.csv_format import CsvFormat
from freeal.table.csv_parsing.csv_record_parser import is_blank, numbered_records
from freeal.table.csv_parsing.dialect import DELIMITERS, NEVER, Dialect
from freeal.table.file_formats import form_of, is_plain_csv
from freeal.table.not_a_table import refuse_json
from freeal.table.packed_stream import open_bytes
from freeal.table.text_lines import lines_of

SAMPLE_RECORDS = 200
_SAMPLE_CHARACTERS = 2**18
_MOST_SAMPLE_LINES = 2_000
_WAYS = (("minimal", False), ("backslash", False), ("minimal", True), ("none", False), ("lines", False))
"""Quoting and spaces after delimiters, the usual way first."""

QUOTE_HINT = "quote values that contain the delimiter or a line break"
_NO_NAME = re.compile(r"[\d\s.,:/+%$€-]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """The first lines of a file; `whole`: there are no others."""

    lines: Sequence[str]
    whole: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What the sample is when read in one way: records that are not blank, with their lines."""

    dialect: Dialect
    records: list[tuple[int, list[str]]]
    broken: bool

    @property
    def width(self) -> int:
        """Columns that the header names; 0 without one."""
        return len(self.records[0][1]) if self.records else 0

    @property
    def fit(self) -> float:
        """Share of the other records that have as many values as the header, empty ones at the end aside."""
        others = self.records[1:]
        fitting = sum(_fits(record, self.width) for _, record in others)
        share = fitting / len(others) if others else 1.0
        return min(share, 0.6) if self.broken else share

    @property
    def holds_one_value(self) -> bool:
        """Whether nothing stands behind the first value of any record."""
        return all(is_blank(record[1:]) for _, record in self.records)

    @property
    def rank(self) -> tuple[float, bool, int]:
        """What splits the header comes first, then what fits. A delimiter with a space behind it in the header is more
        likely punctuation."""
        if self.width <= 1:
            return -1.0, False, 1
        names = self.records[0][1]
        return self.fit, not any(name.startswith(" ") for name in names), self.width


class Preamble(NamedTuple):
    """Lines above what looks like the header: its line, its names, and the values on the first line."""

    line: int
    names: list[str]
    first_width: int


def detect_dialect(path: Path, told: CsvFormat) -> Dialect:
    """How a CSV is written: encoding by `find_encoding`, delimiter and quoting by its beginning; what is told wins.

    Raises `InputError` for a file that is no text, and for lines above the header.
    """
    encoding = encodings.told_encoding(told.encoding, path) if told.encoding else encodings.find_encoding(path)
    guessed = (f"its encoding is {encoding.name}",) if encoding.is_guess else ()
    dialect = Dialect(encoding.name, found=(f"{encoding.name}: {encoding.because}",), guessed=guessed)
    sample = _sample_lines(path, encoding.name, skip=told.skip_rows or 0)
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


def _sample_lines(path: Path, encoding: str, *, skip: int) -> Sample:
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
        f"line {first} has {found.first_width} value{'' if found.first_width == 1 else 's'}, but the lines from "
        f"here on have {len(found.names)}: this looks like the header ({names})",
        where=Where(file=path, line=line),
        hint=f"if it is, delete the lines above it or write csv: {{skip_rows: {line - 1}}} in the spec; if line "
        f"{first} is the header, write csv: {{skip_rows: {above}}} and {QUOTE_HINT}",
    )


def find_shape(sample: Sample, dialect: Dialect, *, delimiter: str | None, way: str | None) -> Dialect:
    """`dialect` with delimiter and quoting; those that are told (`delimiter`, `way`) stay."""
    ways = [(way, False)] if way else _WAYS
    marks = (delimiter,) if delimiter else DELIMITERS
    looks = [_look_at_sample(sample, dialect, mark, *ways[0]) for mark in marks]
    usual = max(looks, key=lambda look: look.rank)
    if usual.broken or usual.fit < 1.0:
        for other in ways[1:]:
            found = [
                look
                for look in (_look_at_sample(sample, dialect, mark, *other) for mark in marks)
                if _is_sound_look(look)
            ]
            if found:
                return _unusual_dialect(max(found, key=lambda look: look.rank).dialect)
    if way is None and usual.holds_one_value and (whole := _dialect_of_lines_in_quotes(sample, dialect, marks)):
        return whole
    if delimiter is None and usual.width <= 1:
        return _one_column_dialect(sample, dialect, looks, ways[0][0])
    return _usual_dialect(usual, looks, delimiter)


def find_preamble(sample: Sample, dialect: Dialect, *, delimiter: str | None) -> Preamble | None:
    """Lines above the header, as banks and SAP write them: from some line on, most records are of one other width, and
    the first of these looks like names. None where all of them fit the first line."""
    taken = _look_at_sample(sample, dialect, dialect.delimiter, dialect.quoting, dialect.spaced)
    if taken.width > 1 and taken.fit >= 1.0:
        return None
    looks = [_look_at_sample(sample, dialect, mark, dialect.quoting, dialect.spaced) for mark in _marks(delimiter)]
    found = [preamble for look in looks if (preamble := _preamble_of(look))]
    return max(found, key=lambda one: len(one.names), default=None)


def _marks(delimiter: str | None) -> Sequence[str]:
    return (delimiter,) if delimiter else DELIMITERS


def _look_at_sample(sample: Sample, dialect: Dialect, delimiter: str, quoting: str, spaced: bool) -> Look:  # noqa: FBT001
    way = dataclasses.replace(dialect, delimiter=delimiter, quoting=quoting, spaced=spaced)  # type: ignore[arg-type]
    records: list[tuple[int, list[str]]] = []
    broken = False
    try:
        records.extend(itertools.islice(numbered_records(iter(sample.lines), way), SAMPLE_RECORDS))
    except csv.Error as cause:
        broken = sample.whole or "end of data" not in str(cause)
    return Look(way, records, broken)


def _fits(record: Sequence[str], width: int) -> bool:
    return len(record) == width or (len(record) > width and is_blank(record[width:]))


def _is_sound_look(look: Look) -> bool:
    """Whether an unusual way reads everything, and nothing of what it reads speaks against it."""
    if look.broken or look.width <= 1 or look.fit < 1.0 or len(look.records) < 2:
        return False
    if look.dialect.quoting == "lines":
        return not look.holds_one_value
    if look.dialect.quoting != "none":
        return True
    # quotes mean nothing in many tab-separated files; elsewhere a stray one is a mistake to be mended
    cells = [cell for _, record in look.records for cell in record if '"' in cell]
    quoted = sum(len(cell) > 1 and cell.startswith('"') and cell.endswith('"') for cell in cells)
    return look.dialect.delimiter == "\t" and 2 * quoted <= len(cells)


def _dialect_of_lines_in_quotes(sample: Sample, dialect: Dialect, marks: Sequence[str]) -> Dialect | None:
    """Every line is one value in quotes, and all of these split alike."""
    if not all(line.startswith('"') for line in sample.lines if line.strip()):
        return None
    found = [
        look
        for look in (_look_at_sample(sample, dialect, mark, "lines", spaced=False) for mark in marks)
        if _is_sound_look(look)
    ]
    return _unusual_dialect(max(found, key=lambda look: look.rank).dialect) if found else None


def _unusual_dialect(dialect: Dialect) -> Dialect:
    said = "quotes within values are escaped with backslashes"
    if dialect.quoting == "lines":
        said = "whole lines stand in quotes, and their values within these"
    elif dialect.spaced:
        said = "the spaces after its delimiters are no part of the values"
    elif dialect.quoting == "none":
        said = "its quotes are characters like others"
    return dataclasses.replace(
        dialect, found=(*dialect.found, f"{said}: nothing else fits"), guessed=(*dialect.guessed, said)
    )


def _usual_dialect(usual: Look, looks: Sequence[Look], told: str | None) -> Dialect:
    dialect = usual.dialect
    if told is not None:
        return dataclasses.replace(dialect, found=(*dialect.found, "delimiter told"))
    twins = [look for look in looks if look is not usual and look.rank[:2] == usual.rank[:2] and usual.fit == 1.0]
    found = f"{_named(dialect.delimiter)} splits {usual.fit:.0%} of the first records into {usual.width} values"
    guessed = dialect.guessed
    if twins and usual.width > 1:
        others = " or ".join(_named(look.dialect.delimiter) for look in twins)
        guessed = (*guessed, f"{_named(dialect.delimiter)} separates its values, though {others} would fit as well")
    return dataclasses.replace(dialect, found=(*dialect.found, found), guessed=guessed)


def _one_column_dialect(sample: Sample, dialect: Dialect, looks: Sequence[Look], quoting: str) -> Dialect:
    """The header has no delimiter in it. Then the lines are the values, commas and all, unless every other line is
    split alike: that is a header that names too few columns, and reading it will say so."""
    for look in looks:
        if look.broken and not look.records:  # a quote opens in the first line and is never closed
            return look.dialect
        others = [record for _, record in look.records[1:]]
        widths = {len(record) for record in others}
        tail = [cell for record in others for cell in record[1:]]
        if others and all(len(record) > 1 and is_blank(record[1:]) for record in others):
            return look.dialect
        if len(others) >= 3 and len(widths) == 1 and widths != {1} and not any(cell.startswith(" ") for cell in tail):
            return look.dialect
    whole = _look_at_sample(sample, dialect, NEVER, quoting, spaced=False)
    if whole.broken:
        return looks[0].dialect
    found = (*dialect.found, "the first line has no delimiter in it: one column")
    split = any(len(record) > 1 for look in looks for _, record in look.records)
    guess = ("it has one column, so the commas, semicolons, tabs and pipes in its lines are text",)
    return dataclasses.replace(whole.dialect, found=found, guessed=dialect.guessed + (guess if split else ()))


def _preamble_of(look: Look) -> Preamble | None:
    widths = [len(record) for _, record in look.records]
    if len(widths) < 3:
        return None
    ((usual, _),) = Counter(widths).most_common(1)
    at = next((place for place in range(len(widths) - 1) if widths[place : place + 2] == [usual, usual]), 0)
    if usual < 2 or at == 0 or usual == widths[0] or widths[at:].count(usual) < 0.8 * len(widths[at:]):
        return None
    line, names = look.records[at]
    named = len(names) - next((place for place, name in enumerate(reversed(names)) if name.strip()), len(names))
    if named < 2 or not all(_is_name(name) for name in names[:named]):
        return None
    return Preamble(line, names, widths[0])


def _is_name(cell: str) -> bool:
    return len(cell) < 100 and not cell.startswith(" ") and _NO_NAME.fullmatch(cell) is None


def _named(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}.get(delimiter, repr(delimiter))
