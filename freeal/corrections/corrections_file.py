"""Labels that a person gave: a CSV with a `freeal_corrected` column, such as the edited review_queue.csv.

A corrected row corrects all rows with its text; which row of the version it is, freeal/corrections/row_matching.py
finds. Rows without a value in the column are left alone. What was ever said about a model stands in `corrected.json` of
each of its versions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from freeal.corrections.spreadsheet_damage import only_match
from freeal.errors import CorruptModelError, InputError, Problem, Where
from freeal.files import atomic_write
from freeal.pool.text_pool import EMPTY, Pool
from freeal.table import RowReader, Table, find_column
from freeal.table.csv_format import CsvFormat
from freeal.text import joined_labels, label_names
from freeal.text.blank_text import trimmed
from freeal.text.closest_name import nearest
from freeal.text.joined_labels import parts
from freeal.text.row_text import row_text
from freeal.types import Kind

COLUMN = "freeal_corrected"
FILE_NAME = "corrected.json"
_MOST_PROBLEMS = 50
"""That are told one by one."""
_MEND = "mend it, take that of an earlier version, or delete it: then what a person said is forgotten"


@dataclasses.dataclass(frozen=True, slots=True)
class Correction:
    """One text and the label a person gave it. `values` are its row's cells by column, `line` where it stands."""

    text: str
    label: str
    line: int
    values: Mapping[str, str]


def read(
    path: Path,
    csv: CsvFormat,
    *,
    text_columns: Sequence[str],
    labels: Sequence[str],
    place_columns: Sequence[str] = (),
    kind: Kind = "single",
) -> list[Correction]:
    """The corrected rows, in order. A label may be written in any case; where a text may have several (`kind`), they
    are joined by `;`, and `(none)` says that none applies.

    `place_columns` may say which row is meant: in a file that has one of them, texts may be missing or changed.
    Otherwise there is one correction per text.

    Raises one `InputError` for all that is wrong: missing columns, unknown labels, labels without a text, two labels
    for one text, each with its line; and where no row is corrected.
    """
    found: list[Correction] = []
    problems: list[Problem] = []
    with RowReader(path, csv) as reader:
        places = [reader.header.index(name) for name in place_columns if reader.header.count(name) == 1]
        there = [name for name in text_columns if name in reader.header or not places]
        corrected, positions = _corrections_columns(reader, path, there)
        for line, row in reader:
            if not (said := trimmed(row[corrected])):
                continue
            text = row_text(there, [row[position] for position in positions]) if there else ""
            where = Where(file=path, line=line, column=COLUMN)
            label, unknown = (
                _several_corrected_labels(said, labels) if kind == "multi" else (_corrected_label(said, labels), said)
            )
            if label is None:
                guess = nearest(unknown[:200], labels)
                hint = f"did you mean {guess!r}?" if guess else f"labels: {', '.join(labels)}"
                problems.append(Problem(f"{label_names.quoted(unknown)} is not a label", where, hint))
            elif not text and not any(row[place].strip() for place in places):
                problems.append(Problem("a label without a text", where, "empty the cell, or give the row its text"))
            else:
                found.append(Correction(text, label, line, dict(zip(reader.header, row, strict=True))))
    unique, contradictions = (found, []) if places else torn_corrections(found, path)
    if problems := sorted(problems + contradictions, key=lambda problem: problem.where.line or 0):
        raise InputError.of(first_problems(problems, path))
    if not unique:
        raise InputError(
            f"no row has a value in {COLUMN}", where=Where(file=path), hint="write the right label into that column"
        )
    return unique


def _corrections_columns(reader: RowReader, path: Path, text_columns: Sequence[str]) -> tuple[int, list[int]]:
    roles = [(COLUMN, "a corrections file"), *((name, "text_columns") for name in text_columns)]
    positions: list[int] = []
    problems: list[Problem] = []
    for name, role in roles:
        try:
            line = reader.dialect.lines_above + 1
            positions.append(find_column(reader.header, name, role=role, path=path, line=line))
        except InputError as error:
            problems += error.parts
    if problems:
        raise InputError.of(problems)
    return positions[0], positions[1:]


def _corrected_label(said: str, labels: Sequence[str]) -> str | None:
    exact = next((label for label in labels if label.casefold() == said.casefold()), None)
    return (
        exact
        or next((label for label in labels if label_names.folded(label) == label_names.folded(said)), None)
        or only_match(said, labels)
    )


def _several_corrected_labels(said: str, labels: Sequence[str]) -> tuple[str | None, str]:
    """The joined labels of a cell, or None and the first part of it that is none."""
    names = []
    for part in joined_labels.split(said):
        if (name := _corrected_label(part, labels)) is None:
            return None, part
        names.append(name)
    if not names and said.casefold() != joined_labels.NONE:
        return None, said
    return joined_labels.in_order(names, labels), ""


def torn_corrections(found: Sequence[Correction], path: Path) -> tuple[list[Correction], list[Problem]]:
    """One correction per text, the first; and each that says another label than it."""
    first: dict[str, Correction] = {}
    problems = []
    for one in found:
        earlier = first.setdefault(one.text, one)
        if earlier.label != one.label:
            problem = f"the text of line {earlier.line} is {one.label!r} here and {earlier.label!r} there"
            problems.append(Problem(problem, Where(file=path, line=one.line, column=COLUMN), "decide for one of them"))
    return list(first.values()), problems


def first_problems(problems: list[Problem], path: Path) -> list[Problem]:
    """The first problems, and how many more there are."""
    left = len(problems) - _MOST_PROBLEMS
    if left <= 0:
        return problems
    return [*problems[:_MOST_PROBLEMS], Problem(f"{left:,} more rows are wrong like these", Where(file=path))]


def table_with_corrections(table: Table, corrections: Sequence[Correction], pool: Pool) -> Table:
    """The table and, at its end, a row for each corrected text in the corrections file that is none of the pool's.
    Columns that the table does not have are left out, those that the corrections do not have are empty."""
    known = set(pool.texts)
    new = [
        tuple(correction.values.get(name, "") for name in table.header)
        for correction in corrections
        if correction.text not in known
    ]
    last = table.lines[-1] if table.lines else 1
    lines = [*table.lines, *range(last + 1, last + 1 + len(new))]
    return dataclasses.replace(table, rows=[*table.rows, *new], lines=lines)


def by_index(said: Mapping[str, str], pool: Pool, labels: Sequence[str], kind: Kind = "single") -> dict[int, str]:
    """Pool index -> label, of what was said (text -> label) about texts of the pool with one of the `labels`, or with
    several of them alone."""
    known = ((index, said[text]) for index, text in enumerate(pool.texts) if text in said)
    return {index: label for index, label in known if set(parts(label, kind)).issubset(labels)}


def rows_with(indices: Mapping[int, str], pool: Pool) -> int:
    """How many rows hold a text of `indices`."""
    return sum(index != EMPTY and index in indices for index in pool.row_index)


def remembered_corrections(version: Path) -> dict[str, str]:
    """Everything a person ever said about a model, text -> label, from one of its versions; empty for nothing.

    Raises `CorruptModelError`.
    """
    path = version / FILE_NAME
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as cause:
        raise CorruptModelError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    except ValueError as cause:
        raise CorruptModelError(f"is not valid JSON: {cause}", where=Where(file=path), hint=_MEND) from cause
    if not isinstance(said, dict) or not all(isinstance(label, str) for label in said.values()):
        raise CorruptModelError("is not a JSON object of texts and labels", where=Where(file=path), hint=_MEND)
    return said


def remember_corrections(version: Path, said: Mapping[str, str]) -> None:
    """Write that down beside a version's results; without anything said there is no such file."""
    if said:
        atomic_write.write_json(version / FILE_NAME, dict(said))
    else:
        (version / FILE_NAME).unlink(missing_ok=True)


def digest_of_corrections(version: Path) -> str:
    """SHA-256 of what is remembered; empty where that is nothing. Raises `OSError`."""
    try:
        return hashlib.sha256((version / FILE_NAME).read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
