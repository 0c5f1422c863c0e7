"""The sheet a person fills in, `blind_sheet.csv`: the row number, the id, the text, and an empty column.

Nothing of what the models think stands in it, nor why a row was drawn, and its order says nothing.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from freeal.certification.sheet_draw import Draw
from freeal.errors import InputError, Problem, Where
from freeal.files import atomic_write
from freeal.pool.text_pool import Pool
from freeal.table import RowReader, Table, find_column, free_name, write_rows
from freeal.table.csv_format import CsvFormat
from freeal.text import label_names
from freeal.text.closest_name import nearest
from freeal.text.row_text import row_text

FILE_NAME = "blind_sheet.csv"
COLUMN = "freeal_certified"
ROW_COLUMN = "freeal_row"
NONE_FITS, CANNOT_SAY = "-", "?"
"""What may stand in COLUMN beside the labels: no label is right; who looks cannot say which is."""
SHEET_COLUMNS = (ROW_COLUMN, COLUMN)
_MOST_PROBLEMS = 50
_ALIKE, _COMPARED = 0.8, 2_000
"""How alike a changed text must be to what it was, and of how many characters."""


def write_blind_sheet(
    path: Path, draw: Draw, *, table: Table, pool: Pool, id_column: str | None, answers: Mapping[int, str]
) -> int:
    """The lines of a draw that have no answer yet (`answers`: row -> answer); how many there are."""
    shown = [*([id_column] if id_column else []), *pool.text_columns]
    header = [free_name(ROW_COLUMN, shown), *shown]
    header.append(free_name(COLUMN, header))
    positions = [table.header.index(name) for name in shown]
    lines = [line for line in draw.lines if line.row not in answers]
    with atomic_write.writing(path) as stream:
        rows = ([str(one.row + 1), *(table.rows[one.row][place] for place in positions), ""] for one in lines)
        write_rows(stream, header, rows, delimiter=table.dialect.output_delimiter)
    return len(lines)


def read_blind_sheet(path: Path, draw: Draw, *, pool: Pool, labels: Sequence[str]) -> dict[int, str]:
    """The answers of a filled sheet, in any table format: shown row (from 0) -> a label, NONE_FITS or CANNOT_SAY.

    A line is found by its text, so it may be sorted and copied; by its row number where a spreadsheet changed a little
    of the text. Empty cells are left out. Raises one `InputError` for all that is wrong, each with its line.
    """
    texts = {line.row: _plain(pool.texts[pool.row_index[line.row]]) for line in draw.lines}
    by_text = {text: row for row, text in texts.items()}
    found: dict[int, tuple[str, int]] = {}
    problems: list[Problem] = []
    with RowReader(path, CsvFormat()) as reader:
        line_of_header = reader.dialect.lines_above + 1
        said_at = find_column(reader.header, COLUMN, role="a blind sheet", path=path, line=line_of_header)
        texts_at = [
            find_column(reader.header, name, role="text_columns", path=path, line=line_of_header)
            for name in pool.text_columns
        ]
        number_at = next((place for place, name in enumerate(reader.header) if name.startswith(ROW_COLUMN)), None)
        for line, cells in reader:
            if not (said := cells[said_at].strip()):
                continue
            where = Where(file=path, line=line, column=COLUMN)
            answer = _answer(said, labels)
            text = _plain(row_text(pool.text_columns, [cells[place] for place in texts_at]))
            row = by_text.get(text)
            if row is None and number_at is not None:
                row = _row_by_number(cells[number_at], text, texts)
            if row is None:
                problems.append(Problem("this text is not on the sheet that was drawn", where, _NOT_DRAWN))
            elif answer is None:
                problems.append(Problem(f"{label_names.quoted(said)} is not a label", where, _hint(said, labels)))
            elif row in found and found[row][0] != answer:
                problem = f"the text of line {found[row][1]} is {found[row][0]!r} there and {answer!r} here"
                problems.append(Problem(problem, where, "decide for one of them"))
            else:
                found.setdefault(row, (answer, line))
    if problems:
        raise InputError.of(_told(problems, path))
    if not found:
        raise InputError(f"no row has a value in {COLUMN}", where=Where(file=path), hint="write a label into each")
    return {row: answer for row, (answer, _) in found.items()}


_NOT_DRAWN = "rows that somebody chose say nothing of the file: fill in the sheet as it was written, texts unchanged"


def _answer(said: str, labels: Sequence[str]) -> str | None:
    if said in (NONE_FITS, CANNOT_SAY):
        return said
    return next((label for label in labels if label.casefold() == said.casefold()), None)


def _hint(said: str, labels: Sequence[str]) -> str:
    guess = nearest(said[:200], labels)
    also = f"{NONE_FITS} for none of them, {CANNOT_SAY} where you cannot say"
    return f"did you mean {guess!r}? ({also})" if guess else f"labels: {', '.join(labels)}; {also}"


def _row_by_number(number: str, text: str, texts: Mapping[int, str]) -> int | None:
    """The row of that number where its text is nearly this one, which is its witness: rows may have been moved."""
    row = int(number) - 1 if number.strip().isdecimal() else -1
    if row not in texts:
        return None
    alike = difflib.SequenceMatcher(a=text[:_COMPARED], b=texts[row][:_COMPARED], autojunk=False).ratio()
    return row if alike >= _ALIKE else None


def _plain(text: str) -> str:
    """A text as a spreadsheet may have left it: its white space and Unicode form count for nothing."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _told(problems: Sequence[Problem], path: Path) -> list[Problem]:
    left = len(problems) - _MOST_PROBLEMS
    more = [Problem(f"{left:,} more lines are wrong like these", Where(file=path))] if left > 0 else []
    return [*problems[:_MOST_PROBLEMS], *more]
