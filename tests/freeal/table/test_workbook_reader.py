"""Excel workbooks in and out: freeal/table/workbook_reader.py, workbook_writer.py."""

from __future__ import annotations

import datetime

import pytest

from freeal.errors import InputError
from freeal.prediction.input_size import measure_input
from freeal.table import read_table
from freeal.table.csv_format import CsvFormat
from freeal.table.workbook_writer import write_workbook

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture
def book(tmp_path):
    """Save rows (and formats by cell) as a workbook; more sheets by name."""

    def saving(rows, *, formats=(), **others):
        made = openpyxl.Workbook()
        made.active.title = "reviews"
        for row in rows:
            made.active.append(row)
        for cell, form in dict(formats).items():
            made.active[cell].number_format = form
        for name, more in others.items():
            sheet = made.create_sheet(name)
            for row in more:
                sheet.append(row)
        made.save(tmp_path / "reviews.xlsx")
        return tmp_path / "reviews.xlsx"

    return saving


def test_cells_are_read_as_a_person_sees_them(book):
    """Zeros, decimals, percents, dates and truth values; empty rows are none, and rows keep their number."""
    formats = {"A2": "000", "B2": "0.00", "C2": "0%", "D2": "yyyy-mm-dd", "B4": "#,##0.0"}
    day = datetime.datetime.fromisoformat("2024-01-02")
    path = book(
        [["id", "x", "y", "day", "z"], [7, 1.5, 0.125, day, True], [], [12, 1234.56, 0.1 + 0.2, day, "#N/A"]],
        formats=formats,
    )
    table = read_table(path)
    assert ["007", "1.50", "12%", "2024-01-02", "TRUE"] == table.rows[0]
    assert ["12", "1234.6", "0.3", "2024-01-02 00:00:00", "#N/A"] == table.rows[1]
    assert ([2, 4], "utf-8-sig", 4) == (table.lines, table.dialect.output_encoding, measure_input(path).lines)


def test_several_sheets_are_named_and_one_is_chosen(book):
    """Which one is meant could cost money; empty ones are not counted."""
    path = book([["text"], ["a"]], other=[["text"], ["b"], ["c"]], empty=[])
    with pytest.raises(InputError, match="has 2 sheets with something in them: 'reviews', 'other'"):
        read_table(path)
    assert 2 == len(read_table(path, CsvFormat(sheet="other")).rows)
    with pytest.raises(InputError, match="has no sheet 'none'"):
        read_table(path, CsvFormat(sheet="none"))


def test_a_formula_that_nobody_computed_is_refused_with_its_cell(book):
    """It would read as an empty text."""
    with pytest.raises(InputError, match=r"formula without a result \(A2: =1\+1\)"):
        read_table(book([["text"], ["=1+1"]]))


def test_a_value_beyond_the_header_is_refused_with_its_row(book):
    """Rows are never shifted, and nothing is lost."""
    with pytest.raises(InputError, match="has a value in column 3 where the header names 2") as caught:
        read_table(book([["id", "text"], [1, "a"], [2, "b", "c"]]))
    assert 3 == caught.value.where.line


def test_a_title_above_the_header_is_told_with_the_header_below_it(book):
    """A merged title is how exports begin: the line that looks like the header is named, and what to write."""
    rows = [["Export of May"], [], ["text", "stars", "day"], ["a", 5, "Mo"], ["b", 1, "Tu"], ["c", 2, "We"]]
    path = book(rows)
    with pytest.raises(InputError, match="other lines cannot be read either: lines 4, 5, 6 likewise") as caught:
        read_table(path)
    assert "line 3 is the header ('text', 'stars', 'day'), write csv: {skip_rows: 2}" in caught.value.hint
    assert ("text", "stars", "day") == read_table(path, CsvFormat(skip_rows=2)).header


@pytest.mark.parametrize(
    "rows", [[["text", "stars"], ["a", 5], ["b", "", "see c"]], [["text"], ["a"], *[["b"]] * 20, ["c", "d"]]]
)
def test_a_row_that_is_wider_than_the_header_is_not_always_a_header(book, rows):
    """One with an empty cell, or far below, is a row with a value too many."""
    with pytest.raises(InputError) as caught:
        read_table(book(rows))
    assert "name the column, or empty the cell" == caught.value.hint


def test_keys_of_csv_hold_for_sheets(book):
    """Lines above the header, no header, rows below it."""
    path = book([["a title"], ["1", "first"], ["2", "second"]])
    told = CsvFormat(skip_rows=1, header="none", skip_rows_after_header=1)
    assert (("column_1", "column_2"), [["2", "second"]]) == ((table := read_table(path, told)).header, table.rows)


def test_what_is_no_workbook_is_told(tmp_path):
    """An old one, or one with a password, is another format."""
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    with pytest.raises(InputError, match="old Excel workbook, or one with a password"):
        read_table(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").write_bytes(b"id,text\n")
    with pytest.raises(InputError, match="no Excel workbook that can be read"):
        read_table(tmp_path / "a.xlsx")


def test_a_workbook_of_ours_holds_every_value_as_text(tmp_path):
    """No number, date or formula is made of it, and control characters come back."""
    rows = [["007", "=1+1"], ["1/2", "a\x01b"], ["1e5", "two\nlines"]]
    content = "id,text\n" + "".join(f'{one},"{other}"\n' for one, other in rows)
    (tmp_path / "a.csv").write_text("\ufeff" + content, encoding="utf-8")
    write_workbook(tmp_path / "a.csv", tmp_path / "a.xlsx")
    assert rows == read_table(tmp_path / "a.xlsx").rows


def test_a_value_too_long_for_a_cell_is_refused_or_cut(tmp_path):
    """Excel would cut it without a word."""
    (tmp_path / "a.csv").write_text("text\n" + "x" * 40_000 + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="no cell of a workbook holds"):
        write_workbook(tmp_path / "a.csv", tmp_path / "a.xlsx")
    write_workbook(tmp_path / "a.csv", tmp_path / "a.xlsx", long_values="cut")
    assert "…" == read_table(tmp_path / "a.xlsx").rows[0][0][-1]
