"""Rows of a JSON Lines file: one object per line, its keys the columns.

A string is its characters, null and a key that is not there are empty, a number is written as in the file, true and
false too, a list or an object is its JSON. Columns stand in the order in which their keys first appear, so the file is
read twice: once for them, once for the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from freeal.errors import InputError, Where
from freeal.table import encoding_detection as encodings
from freeal.table.csv_format import CsvFormat
from freeal.table.csv_parsing.dialect import Dialect
from freeal.table.csv_parsing.ragged_rows import MOST_LINES_NAMED, ragged_rows_error
from freeal.table.packed_stream import open_bytes
from freeal.table.text_lines import lines_of

MOST_COLUMNS = 20_000
"""A file whose keys are data (an id as a key) has a new column in every line."""

_HINT = 'each line must be one JSON object: {"text": "...", ...}'


class _Number(str):
    """A number as it is written: 1.50 stays 1.50, and an id of 20 digits keeps them all."""

    __slots__ = ()


class JsonRows:
    """`header` and `dialect` first, then (line, row) pairs. Raises `InputError` for what is not JSON Lines."""

    def __init__(self, path: Path, told: CsvFormat) -> None:
        self._path = path
        encoding = encodings.told_encoding(told.encoding, path) if told.encoding else encodings.find_encoding(path)
        guessed = (f"its encoding is {encoding.name}",) if encoding.is_guess else ()
        found = (f"{encoding.name}: {encoding.because}",)
        self.dialect = Dialect(encoding.name, form="jsonl", found=found, guessed=guessed)
        self.header = self._find_columns()

    def close(self) -> None:
        """Nothing is held between two rows."""

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        for line, row in self._json_objects():
            yield line, [row.get(name, "") for name in self.header]

    def _find_columns(self) -> tuple[str, ...]:
        columns: dict[str, None] = {}
        for line, row in self._json_objects():
            columns.update(dict.fromkeys(row))
            if len(columns) > MOST_COLUMNS:
                raise InputError(
                    f"has more than {MOST_COLUMNS:,} different keys",
                    where=Where(file=self._path, line=line),
                    hint="keys must name columns",
                )
        if not columns:
            raise InputError("is empty", where=Where(file=self._path), hint=_HINT)
        return tuple(columns)

    def _json_objects(self) -> Iterator[tuple[int, dict[str, str]]]:
        read = _json_line_reader()
        problems: list[tuple[int, str]] = []
        complete = True
        with open_bytes(self._path) as stream:
            for line, text in enumerate(lines_of(stream, self.dialect.encoding, self._path), start=1):
                if not text.strip(" \t\r\n\x1a"):
                    continue
                found = read(text)
                if isinstance(found, str):
                    problems.append((line, found))
                    complete = len(problems) <= MOST_LINES_NAMED
                    if not complete:
                        break
                elif not problems:
                    yield line, found
        if problems:
            raise ragged_rows_error(problems, path=self._path, complete=complete, hint=_HINT)


def _json_line_reader() -> Callable[[str], dict[str, str] | str]:
    """A function from a line to its values, or to what is wrong with it."""
    decoder = json.JSONDecoder(
        parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_without_repetitions
    )

    def read(text: str) -> dict[str, str] | str:
        try:
            found = decoder.decode(text.strip(" \t\r\n\x1a"))
            if not isinstance(found, dict):
                return "is not a JSON object"
            row = {key: as_text(value) for key, value in found.items()}
            "".join((*row, *row.values())).encode()
        except RecursionError:
            return "is nested too deeply"
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no character"
        except json.JSONDecodeError as cause:
            return f"is not valid JSON from character {cause.pos + 1} on: {cause.msg}"
        except ValueError as cause:
            return f"is not valid JSON: {cause}"
        return row

    return read


def _without_repetitions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def as_text(value: Any) -> str:
    """A JSON value as a cell."""
    if value is None:
        return ""
    return str(value) if isinstance(value, str) else _cell_as_json(value)


def _cell_as_json(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        inner = (f"{json.dumps(key, ensure_ascii=False)}: {_cell_as_json(item)}" for key, item in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_cell_as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
