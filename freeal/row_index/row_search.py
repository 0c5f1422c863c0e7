"""Reads a row index: rows by filter, order and page; one row; the review queue."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from freeal.errors import CorruptModelError, Where
from freeal.row_index.text_digest import digest_of
from freeal.text import joined_labels
from freeal.types import Kind

ORDERS = {
    "row": "number",
    "least sure": "confidence, number",
    "most sure": "confidence DESC, number",
    "label": "label, number",
    "longest": "length(text) DESC, number",
}
"""How rows may be sorted."""
NONE = joined_labels.NONE
"""Stands for rows without a label in a filter; where a row may have several, for rows to which none applies."""
UNLABELLED = joined_labels.UNLABELLED
"""Stands, where a row may have several, for rows of which nothing is said: NONE says something."""
_FIELDS = "number, id, text, cells, label, confidence, source, llm, student, status, truth, before"


@dataclasses.dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows are wanted; what is empty or None decides nothing.

    `label`, `llm`, `student`, `truth` and `before` name labels (NONE: rows without; where a row may have several, those
    that have it among others, with `exactly` those whose labels, joined, are these); `disagree`: the language model and
    the student gave two labels; `moved`: the label was another one in the version before; `wrong`: the true label is
    known and another one than the final.
    """

    words: str = ""
    label: str = ""
    llm: str = ""
    student: str = ""
    truth: str = ""
    before: str = ""
    source: str = ""
    least: float | None = None
    most: float | None = None
    disagree: bool = False
    moved: bool = False
    wrong: bool = False
    exactly: bool = False

    def condition(self, *, several: bool = False) -> tuple[str, list[Any]]:
        """As SQL, and its values; `several`: rows may have several labels, joined."""
        parts, values = ["1"], list[Any]()
        for column in ("label", "llm", "student", "truth", "before", "source"):
            said = getattr(self, column)
            if said == (UNLABELLED if several else NONE):
                parts.append(f"ifnull({column}, '') = ''")
            elif said:
                is_among = several and column != "source" and not self.exactly and said != NONE
                parts.append(f"has_label(?, {column})" if is_among else f"{column} IS ?")
                values.append(said)
        for word in self.words.split():
            parts.append("has_word(?, text, id)")
            values.append(word.casefold())
        for bound, sign in ((self.least, ">="), (self.most, "<=")):
            if bound is not None:
                parts.append(f"confidence {sign} ?")
                values.append(bound)
        parts += ["llm <> '' AND student <> '' AND llm <> student"] if self.disagree else []
        parts += ["before IS NOT NULL AND before <> label"] if self.moved else []
        parts += ["truth IS NOT NULL AND truth <> label"] if self.wrong else []
        return " AND ".join(parts), values


@dataclasses.dataclass(frozen=True, slots=True)
class IndexedRow:
    """A row of the CSV (`number` counts from 1). `cells` are those of the text columns; labels are "" where there is
    none, `truth` None where it is not known, `before` None where the version before did not have the text."""

    number: int
    id: str
    text: str
    cells: tuple[str, ...]
    label: str
    confidence: float
    source: str
    llm: str
    student: str
    status: str
    truth: str | None
    before: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Queued:
    """A row of the review queue: how many rows hold its text, why to look, the demonstrations most like it."""

    number: int
    count: int
    why: str
    nearest: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """How many rows got another label than in the version before; "" stands for no label."""

    before: str
    after: str
    rows: int


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What a row index says of its version. `mark` tells which files it was made from."""

    mark: str
    text_columns: tuple[str, ...]
    labels: Mapping[str, str]
    description: str
    id_column: str | None
    has_truth: bool
    has_earlier: bool
    kind: Kind = "single"

    def knows(self, label: str | None) -> bool:
        """Whether this is one of the labels, or several of them where a text may have several."""
        if label is None or self.kind != "multi":
            return label in self.labels
        return label != "" and set(joined_labels.split(label)).issubset(self.labels)


class RowIndex:
    """An index, opened to be read. Every call opens the file anew, so it may be replaced meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def about(self) -> About:
        """What it is of. Raises `CorruptModelError` where there is none, or one that is damaged."""
        with self._open_index() as database:
            found = {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM about")}
        try:
            return About(**found | {"text_columns": tuple(found["text_columns"])})
        except (KeyError, TypeError) as cause:
            raise self._damaged_index_error(cause) from cause

    def find(
        self, wanted: RowFilter, *, order: str = "row", skip: int = 0, limit: int = 50
    ) -> tuple[int, list[IndexedRow]]:
        """How many rows fit, and a page of them. `order` is one of ORDERS."""
        condition, values = wanted.condition(several=self.about().kind == "multi")
        with self._open_index() as database:
            [(total,)] = database.execute(f"SELECT count(*) FROM rows WHERE {condition}", values)  # noqa: S608
            rows = database.execute(
                f"SELECT {_FIELDS} FROM rows WHERE {condition} ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?",  # noqa: S608
                [*values, limit, skip],
            ).fetchall()
        return int(total), [_indexed(row) for row in rows]

    def counts(self, column: str) -> dict[str, int]:
        """How many rows have each value of `label` or `source`, the most frequent first."""
        if column not in ("label", "source"):
            raise ValueError(column)
        with self._open_index() as database:
            found = database.execute(f"SELECT {column}, count(*) FROM rows GROUP BY 1 ORDER BY 2 DESC, 1")  # noqa: S608
            return {str(value): int(count) for value, count in found}

    def moves(self) -> tuple[list[Move], int]:
        """From which label to which rows moved since the version before, the most first; and how many rows have a text
        that both hold."""
        with self._open_index() as database:
            [(compared,)] = database.execute("SELECT count(*) FROM rows WHERE before IS NOT NULL")
            found = database.execute(
                "SELECT before, label, count(*) FROM rows WHERE before IS NOT NULL AND before <> label "
                "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
            )
            return [Move(*row) for row in found], int(compared)

    def rows(self, numbers: list[int]) -> dict[int, IndexedRow]:
        """Those of these rows that there are, by number."""
        found: dict[int, IndexedRow] = {}
        with self._open_index() as database:
            for number in numbers:
                for row in database.execute(f"SELECT {_FIELDS} FROM rows WHERE number = ?", [number]):  # noqa: S608
                    found[number] = _indexed(row)
        return found

    def holding(self, texts: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Of each of these texts that a row holds: the first such row's number, and how many rows hold it."""
        found: dict[str, tuple[int, int]] = {}
        with self._open_index() as database:
            for text in texts:
                [(first, count)] = database.execute(
                    "SELECT min(number), count(*) FROM rows WHERE digest = ?", [digest_of(text)]
                )
                if count:
                    found[text] = int(first), int(count)
        return found

    def queue(self) -> list[Queued]:
        """The review queue, worth most first."""
        with self._open_index() as database:
            rows = database.execute("SELECT number, count, why, nearest FROM queue ORDER BY place").fetchall()
        return [Queued(number, count, why, tuple(json.loads(nearest))) for number, count, why, nearest in rows]

    @contextlib.contextmanager
    def _open_index(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as database:
                database.create_function("has_word", 3, _has_word, deterministic=True)
                database.create_function("has_label", 2, _has_label, deterministic=True)
                yield database
        except sqlite3.Error as cause:
            raise self._damaged_index_error(cause) from cause

    def _damaged_index_error(self, cause: Exception) -> CorruptModelError:
        return CorruptModelError(
            f"the index of its rows cannot be read: {cause}",
            where=Where(file=self.path),
            hint="delete it: it is made anew",
        )


def _has_word(word: str, text: str, identity: str) -> bool:
    return word in text.casefold() or word in identity.casefold()


def _has_label(name: str, said: str | None) -> bool:
    return name in joined_labels.split(said or "")


def _indexed(row: tuple[Any, ...]) -> IndexedRow:
    number, identity, text, cells, *others = row
    return IndexedRow(number, identity, text, tuple(json.loads(cells)), *others)
