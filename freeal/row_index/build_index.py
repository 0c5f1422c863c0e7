"""Writes the row index of a version: annotated.csv row by row, the review queue, and what moved since the version
before. Memory does not grow with the rows; the index is complete or absent."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.errors import CorruptModelError, FreealError, Where
from freeal.files.atomic_write import sync
from freeal.pool import true_labels
from freeal.results.output_files import ANNOTATED_COLUMNS
from freeal.row_index.text_digest import digest_of
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import student_metadata
from freeal.table import Row, RowReader, Table
from freeal.table.csv_format import CsvFormat
from freeal.text.row_text import row_text

FORMAT = 1
_ROWS_AT_ONCE = 2_000
_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rows (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL, cells TEXT NOT NULL, digest BLOB NOT NULL,
    label TEXT NOT NULL, confidence REAL NOT NULL, source TEXT NOT NULL, llm TEXT NOT NULL, student TEXT NOT NULL,
    status TEXT NOT NULL, truth TEXT, before TEXT
);
CREATE TABLE queue (
    place INTEGER PRIMARY KEY, number INTEGER NOT NULL, count INTEGER NOT NULL, why TEXT NOT NULL, nearest TEXT NOT NULL
);
CREATE TEMP TABLE earlier (digest BLOB PRIMARY KEY, label TEXT NOT NULL) WITHOUT ROWID;
"""


def mark_of_index(version: Path, previous: Path | None) -> str:
    """Tells whether an index is of these files as they are now. Raises `CorruptModelError` where there are no rows."""
    marks: list[Any] = [FORMAT, previous.name if previous else None]
    for name in ("annotated.csv", "review_queue.csv"):
        try:
            seen = (version / name).stat()
            marks.append([seen.st_size, seen.st_mtime_ns])
        except FileNotFoundError as cause:
            if name == "annotated.csv":
                raise CorruptModelError("is missing", where=Where(file=version / name)) from cause
            marks.append(None)
    return json.dumps(marks)


def build_row_index(version: Path, target: Path, *, previous: Path | None = None) -> None:
    """Fill the file `target` with the index of a version; `previous` is the version before it, where there is one.

    Raises `CorruptModelError` for what is missing or damaged in the version, `OSError` for the target.
    """
    mark = mark_of_index(version, previous)
    spec, columns = Spec.model_validate(_record_of_version(version)["spec"]), _text_columns(version)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(temporary)) as database, database:
            database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
            has_earlier = previous is not None and _add_earlier(database, previous)
            has_truth = _add_rows(database, version, spec, columns)
            if has_earlier:
                database.execute(
                    "UPDATE rows SET before = (SELECT label FROM earlier WHERE earlier.digest = rows.digest)"
                )
            _add_queue(database, version)
            about: dict[str, Any] = {
                "mark": mark,
                "text_columns": list(columns),
                "labels": spec.labels,
                "kind": spec.kind,
                "description": spec.description,
                "id_column": spec.id_column,
                "has_truth": has_truth,
                "has_earlier": has_earlier,
            }
            database.executemany(
                "INSERT INTO about VALUES (?, ?)", [(key, json.dumps(one)) for key, one in about.items()]
            )
            database.executescript(
                "CREATE INDEX by_label ON rows (label); CREATE INDEX by_confidence ON rows (confidence);"
            )
        sync(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _record_of_version(version: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((version / "run.json").read_text(encoding="utf-8"))
        return {"spec": record["spec"], "delimiter": record["input"].get("output_delimiter", ",")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise CorruptModelError("is missing or damaged", where=Where(file=version / "run.json")) from cause


def _text_columns(version: Path) -> tuple[str, ...]:
    found = student_metadata.read_card(version / "model").extra.get("text_columns")
    if not found:
        raise CorruptModelError("the model does not say which columns it reads", where=Where(file=version / "model"))
    return tuple(str(name) for name in found)


@contextlib.contextmanager
def _own_table_reader(path: Path) -> Iterator[RowReader]:
    """A table of ours, which is well formed whatever the input was."""
    delimiter = _record_of_version(path.parent)["delimiter"]
    written = CsvFormat(encoding="utf-8", delimiter=delimiter, quoting="minimal", skip_rows=0, ragged="refuse")
    try:
        with RowReader(path, written) as reader:
            yield reader
    except CorruptModelError:
        raise
    except FreealError as cause:
        raise CorruptModelError(f"cannot be read: {cause}", where=Where(file=path)) from cause


def _own_columns(reader: RowReader, path: Path) -> slice:
    """Where the columns stand that every job has: behind the input's, before those of some jobs only."""
    count = len(ANNOTATED_COLUMNS)
    for start in range(len(reader.header) - count, 0, -1):
        found = slice(start, start + count)
        if all(map(str.startswith, reader.header[found], ANNOTATED_COLUMNS)):
            return found
    raise CorruptModelError("does not end with our columns", where=Where(file=path))


def _positions(reader: RowReader, columns: tuple[str, ...], path: Path) -> list[int]:
    missing = [name for name in columns if name not in reader.header]
    if missing:
        raise CorruptModelError(f"has no column {missing[0]!r}", where=Where(file=path))
    return [reader.header.index(name) for name in columns]


def _add_rows(database: sqlite3.Connection, version: Path, spec: Spec, columns: tuple[str, ...]) -> bool:
    """Every row; whether any has a true label."""
    path, has_truth = version / "annotated.csv", False
    with _own_table_reader(path) as reader:
        own = _own_columns(reader, path)
        places = _positions(reader, columns, path)
        id_at = reader.header.index(spec.id_column) if spec.id_column in reader.header else None
        told = [name for role, name in spec.other_columns.items() if role.startswith("label_column")]
        table = Table(path, reader.header, [], [], reader.dialect)
        numbered = enumerate((row for _, row in reader), start=1)
        while chunk := list(itertools.islice(numbered, _ROWS_AT_ONCE)):
            given = [""] * len(chunk)
            if told and set(told) <= set(reader.header):
                given = true_labels.true_label_values(dataclasses.replace(table, rows=[row for _, row in chunk]), spec)
            truths = true_labels.known(given, spec)
            has_truth = has_truth or any(truths)
            database.executemany(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                [
                    _index_row(
                        number, row, columns, places, own, identity="" if id_at is None else row[id_at], truth=truth
                    )
                    for (number, row), truth in zip(chunk, truths, strict=True)
                ],
            )
    return has_truth


def _index_row(
    number: int, row: Row, columns: tuple[str, ...], places: list[int], own: slice, *, identity: str, truth: str | None
) -> tuple[Any, ...]:
    cells = [row[place] for place in places]
    text = row_text(columns, cells)
    label, confidence, source, llm, student, _round, _clean, status = row[own]
    # a lone surrogate cannot be stored; such a character is shown as a question mark anyway
    plain = [value.encode(errors="replace").decode() for value in (identity, text, json.dumps(cells))]
    return (number, *plain, digest_of(text), label, float(confidence or 0.0), source, llm, student, status, truth)


def _add_earlier(database: sqlite3.Connection, previous: Path) -> bool:
    """The labels of the version before, by text; whether it could be read: without it nothing is told to have moved."""
    path = previous / "annotated.csv"
    try:
        columns = _text_columns(previous)
        with _own_table_reader(path) as reader:
            label_at = _own_columns(reader, path).start
            places = _positions(reader, columns, path)
            pairs = (
                (digest_of(row_text(columns, [row[place] for place in places])), row[label_at]) for _, row in reader
            )
            database.executemany("INSERT OR IGNORE INTO earlier VALUES (?, ?)", pairs)
    except FreealError:
        database.execute("DELETE FROM earlier")
        return False
    return True


def _add_queue(database: sqlite3.Connection, version: Path) -> None:
    path = version / "review_queue.csv"
    if not path.is_file():
        return
    with _own_table_reader(path) as reader:
        names = {name: place for place, name in enumerate(reader.header)}
        wanted = ("freeal_row", "freeal_rows", "freeal_why")
        if not all(name in names for name in wanted):
            return  # named otherwise because the input has columns of these names: there is no queue to show then
        nearest_at = [place for name, place in names.items() if name.startswith("freeal_nearest_")]
        for place, (_, row) in enumerate(reader):
            number, count, why = (row[names[name]] for name in wanted)
            nearest = [row[at] for at in nearest_at if row[at]]
            database.execute(
                "INSERT INTO queue VALUES (?, ?, ?, ?, ?)", (place, int(number), int(count), why, json.dumps(nearest))
            )
