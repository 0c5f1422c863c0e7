"""Which row of the version a correction speaks of: by its id, by its row number with the text as witness, by its text.

Files come back from spreadsheets, which change texts, numbers and dates on their way. A row that names its place and
whose text is another one is refused by its line: it is never taken for a new text, nor for somebody else's row.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from freeal.corrections.corrections_file import COLUMN, Correction, first_problems, torn_corrections
from freeal.corrections.spreadsheet_damage import (
    alike_but_for_spreadsheet,
    number_in_spreadsheet,
    only_match,
    plain,
    says_nothing,
)
from freeal.errors import InputError, Problem, Where
from freeal.pool.text_pool import EMPTY, Pool
from freeal.table import Table
from freeal.text.label_names import quoted

ROW_COLUMN = "freeal_row"
_MOST_COMPARED = 20_000
"""Texts that a text without a place is compared with for what a spreadsheet may have made of it."""


class Placed(NamedTuple):
    """Corrections, one per text, in order; `changed` counts those whose text came back as another one."""

    corrections: list[Correction]
    changed: int


def match_corrections(
    corrections: Sequence[Correction], table: Table, pool: Pool, *, id_column: str | None, path: Path
) -> Placed:
    """The corrections with the pool's own texts; one whose text is none of them is new.

    Raises one `InputError` for all rows that contradict themselves, each other, or the version.
    """
    rows = _Rows(table, pool, id_column)
    found: list[Correction] = []
    problems: list[Problem] = []
    changed = 0
    for one in corrections:
        place = rows.place_of(one)
        if isinstance(place, str):
            problems.append(Problem(place, Where(file=path, line=one.line, column=COLUMN), _HINT))
            continue
        text = one.text if place is None else pool.texts[place]
        changed += plain(text) != plain(one.text)
        found.append(dataclasses.replace(one, text=text))
    unique, contradictions = torn_corrections(found, path)
    if problems := sorted(problems + contradictions, key=lambda problem: problem.where.line or 0):
        raise InputError.of(first_problems(problems, path))
    return Placed(unique, changed)


def _is_predicted(one: Correction) -> bool:
    """Whether a row comes from a file of predictions: its ids are those of another table, and may be the same."""
    return "freeal_confidence" in one.values and not {ROW_COLUMN, "freeal_source"} & one.values.keys()


_HINT = "take the row from the version's review_queue.csv again, or empty its cell; a new text has neither id nor row"


class _Rows:
    """The version's rows, by id, by number and by text."""

    def __init__(self, table: Table, pool: Pool, id_column: str | None) -> None:
        self._table, self._pool, self._id_column = table, pool, id_column
        self._positions = [table.header.index(name) for name in pool.text_columns]
        self._by_text = {text: index for index, text in enumerate(pool.texts)}
        self._by_plain = {plain(text): index for index, text in reversed(list(enumerate(pool.texts)))}
        self._ids: dict[str, list[int]] = {}
        self._id_numbers: list[tuple[float, int]] = []
        if id_column is not None:
            position = table.header.index(id_column)
            for row, cells in enumerate(table.rows):
                self._ids.setdefault(plain(cells[position]), []).append(row)
                if (number := number_in_spreadsheet(cells[position])) is not None:
                    self._id_numbers.append((number, row))

    def place_of(self, one: Correction) -> int | str | None:
        """The pool index a correction is for, None for a new text, or what is wrong with it."""
        by_text = self._text_index(one.text)
        number, is_numbered = self._row_by_number(one)
        own, is_named = self._row_by_id(one, number)
        if own is not None and _is_predicted(one) and not self._is_witness(one, own):
            own, is_named = None, "no"
        if own is not None:
            is_another = by_text is not None and by_text != self._pool.row_index[own]  # one column was sorted alone
            if self._is_witness(one, own) or self._is_mute(one) or (number == own and not is_another):
                return self._index_of(own)
            return self._differs(one, f"{self._id_column} {quoted(one.values[str(self._id_column)])}", own)
        if number is not None and (self._is_witness(one, number) or self._is_nearly(one, number)):
            return self._index_of(number)
        return (
            by_text
            if by_text is not None
            else self._place_of_new_text(one, number, is_numbered=is_numbered, is_named=is_named)
        )

    def _place_of_new_text(
        self, one: Correction, number: int | None, *, is_numbered: bool, is_named: str
    ) -> int | str | None:
        """What becomes of a text that is none of the version's."""
        if is_named == "several":
            return f"the {self._id_column} {quoted(one.values[str(self._id_column)])} is that of several rows"
        if number is not None:
            return self._differs(one, f"{ROW_COLUMN} {number + 1}", number)
        if is_numbered:
            return f"there is no row {quoted(one.values[ROW_COLUMN])} in the version ({ROW_COLUMN})"
        if self._is_mute(one):
            return "says neither which row it is for nor what its text is"
        return self._row_before_damage(one.text)

    def _text_index(self, text: str) -> int | None:
        return self._by_text.get(text, self._by_plain.get(plain(text)))

    def _row_by_number(self, one: Correction) -> tuple[int | None, bool]:
        """The row of `freeal_row`, and whether there is anything in it."""
        said = one.values.get(ROW_COLUMN, "").strip()
        number = number_in_spreadsheet(said)
        is_row = number is not None and number.is_integer() and 1 <= number <= len(self._table.rows)
        return (int(number) - 1 if is_row and number is not None else None), bool(said)

    def _row_by_id(self, one: Correction, number: int | None) -> tuple[int | None, str]:
        """The row with the correction's id; of several that could be meant, that of its number, or nearest text."""
        if self._id_column is None or not (said := one.values.get(self._id_column, "").strip()):
            return None, "no"
        rows = self._ids.get(plain(said)) or list(self._rows_numbered(said))
        if number in rows:
            return number, "yes"
        fitting = [row for row in rows if self._is_witness(one, row)] if len(rows) > 1 else rows
        if len({self._pool.row_index[row] for row in fitting}) == 1:
            return fitting[0], "yes"
        return None, "several" if rows else "no"

    def _rows_numbered(self, said: str) -> Iterator[int]:
        """007 that came back as 7, and a long id as 1,23457E+19."""
        number = number_in_spreadsheet(said)
        if number is not None:
            loss = 5e-6 if "e" in said.casefold() else 1e-14
            yield from (row for own, row in self._id_numbers if math.isclose(own, number, rel_tol=loss))

    def _cells(self, one: Correction, row: int) -> Iterator[tuple[str, str]]:
        """(the row's, the correction's) cell of each text column that the corrections have."""
        for name, position in zip(self._pool.text_columns, self._positions, strict=True):
            if name in one.values:
                yield self._table.rows[row][position], one.values[name]

    def _is_witness(self, one: Correction, row: int) -> bool:
        """Whether the texts are the same, but for what a spreadsheet does."""
        cells = list(self._cells(one, row))
        return any(not says_nothing(seen) for _, seen in cells) and all(
            alike_but_for_spreadsheet(own, seen) or (says_nothing(seen) and seen.strip()) for own, seen in cells
        )

    def _is_nearly(self, one: Correction, row: int) -> bool:
        """For a number without an id: a text of lost signs alone, as one of emoji comes back, as long as the row's."""
        cells = [(own, seen) for own, seen in self._cells(one, row) if seen.strip()]
        return bool(cells) and all(not own.isascii() and says_nothing(seen) for own, seen in cells)

    def _is_mute(self, one: Correction) -> bool:
        return all(says_nothing(one.values.get(name, "")) for name in self._pool.text_columns)

    def _index_of(self, row: int) -> int | str:
        index = self._pool.row_index[row]
        return f"row {row + 1} has no text, so nothing can be learned from its label" if index == EMPTY else index

    def _differs(self, one: Correction, name: str, row: int) -> str:
        index = self._pool.row_index[row]
        own = "" if index == EMPTY else self._pool.texts[index]
        return f"{name} is the row with the text {quoted(own)}, and the text here differs: {quoted(one.text)}"

    def _row_before_damage(self, text: str) -> int | None:
        """A text that is none of the version's: the only one that a spreadsheet could have made it of, else new."""
        if len(self._pool) > _MOST_COMPARED:
            return None
        own = only_match(text, self._pool.texts)
        return None if own is None else self._by_text[own]
