"""Reading and writing CSVs."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeal.errors import InputError
from freeal.table import RowReader, TableWriter, detect_dialect, free_name, read_table, write_rows
from freeal.table.csv_format import CsvFormat

CELL = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def _written(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "in.csv"
    path.write_bytes(content.encode(encoding))
    return path


def test_nothing_is_converted(tmp_path):
    """Leading zeros, NA, dates, exponents and spaces come in as the characters that stand there."""
    path = _written(tmp_path, "a,b,c,d,e\n007,NA,1e5,2024-01-02, x \n")
    assert read_table(path).rows[0] == ["007", "NA", "1e5", "2024-01-02", " x "]


def test_rows_know_the_line_they_begin_on(tmp_path):
    """A line break inside a value moves the later rows' lines, and blank lines are no rows."""
    path = _written(tmp_path, 'id,text\n1,"two\nlines"\n\n2,x\n')
    assert read_table(path).lines == [2, 5]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    """Comma, semicolon, tab and pipe are told apart, though the text is full of commas."""
    path = _written(tmp_path, f'id{delimiter}text\n1{delimiter}"well, yes, no"\n2{delimiter}plain\n')
    assert delimiter == detect_dialect(path, CsvFormat()).delimiter


def test_one_column_needs_no_delimiter(tmp_path):
    """A list of sentences is a table of one column, as long as the header has no delimiter in it."""
    path = _written(tmp_path, "text\nnothing here\nnor here\n")
    assert read_table(path).rows == [["nothing here"], ["nor here"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_names_the_encoding(tmp_path, encoding):
    """UTF-8 with and without mark and UTF-16 read alike; the mark is no part of the first name."""
    table = read_table(_written(tmp_path, "id,text\n1,Grüße 🎉\n", encoding))
    assert (table.header, table.rows) == (("id", "text"), [["1", "Grüße 🎉"]])


def test_what_is_not_in_the_encoding_told_is_refused_with_line_and_byte(tmp_path):
    """What the spec says about the encoding is believed, and an error says where it does not hold."""
    path = _written(tmp_path, "id,text\n1,ok\n2,café\n", "latin-1")
    with pytest.raises(InputError, match=r"in\.csv, line 3: is not utf-8 text: byte 19 \(e9\).*csv\.encoding"):
        read_table(path, CsvFormat(encoding="utf-8"))
    assert read_table(path, CsvFormat(encoding="latin-1")).rows[1] == ["2", "café"]


def test_a_ragged_row_is_refused_with_its_line(tmp_path):
    """A row with one value too many is never shifted into the next column."""
    with pytest.raises(InputError, match=r"line 3: has 3 values where the header names 2 columns"):
        read_table(_written(tmp_path, "id,text\n1,ok\n2,a,b\n"))


def test_an_unclosed_quote_is_refused_with_the_line_it_opens_on(tmp_path):
    """A quote that is never closed would swallow the rest of the file."""
    with pytest.raises(InputError, match=r"line 3: a quoted value is never closed"):
        read_table(_written(tmp_path, 'id,text\n1,ok\n2,"open\n3,lost\n'))


def test_an_empty_file_is_refused(tmp_path):
    """A file without a header says so."""
    with pytest.raises(InputError, match="is empty"):
        read_table(_written(tmp_path, ""))


def test_a_missing_column_names_its_nearest(tmp_path):
    """The error names the spec key, the column and the one that was probably meant."""
    table = read_table(_written(tmp_path, "id,body\n1,x\n"))
    with pytest.raises(InputError, match=r"column 'boddy': text_columns names a column that is not there .*'body'"):
        table.column("boddy", role="text_columns")


@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=6), delimiter=st.sampled_from(",;\t|"))
@settings(deadline=None)
def test_what_is_written_reads_back_value_for_value(tmp_path_factory, rows, delimiter):
    """Any text survives writing and reading, line breaks, quotes, lone carriage returns and NULs included."""
    path = tmp_path_factory.mktemp("round") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, ["a", "b"], rows, delimiter=delimiter)
    assert rows == read_table(path, CsvFormat(delimiter=delimiter)).rows


def test_a_single_empty_value_is_not_a_blank_line():
    """A one-column row without a value is written so that it reads back as a row."""
    stream = io.StringIO()
    TableWriter(stream, ",").write([""])
    assert stream.getvalue() == '""\n'


def test_a_taken_name_gets_a_number():
    """Our columns never shadow the user's."""
    assert free_name("freeal_label", ["freeal_label", "freeal_label_2"]) == "freeal_label_3"


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [("t.csv", "a;b\n1;2\n", ";"), ("t.tsv", "a\tb\n1\t2\n", ","), ("t.csv", "text\na, b\nc\n", ",")],
)
def test_the_output_keeps_the_delimiter_of_a_csv(tmp_path, name, content, delimiter):
    """A semicolon stays; what is no plain CSV, or has one column, comes out with commas."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert delimiter == read_table(path).dialect.output_delimiter


def test_a_guess_is_told(tmp_path):
    """What was guessed is said in a sentence that names it and where to say what is right."""
    (notice,) = read_table(_written(tmp_path, "id,text\n1,schöne Größe\n", "cp1252")).dialect.notices
    assert "its encoding is cp1252" in notice
    assert "csv in the spec" in notice


def test_a_column_that_stands_twice_is_refused_with_its_places(tmp_path):
    """Two columns of one name are carried, but neither can be the text."""
    table = read_table(_written(tmp_path, "text,id,text\na,1,b\n"))
    assert 1 == table.column("id", role="id_column")
    with pytest.raises(InputError, match=r"stands 2 times .*number 1, 3 of the header: rename all but one"):
        table.column("text", role="text_columns")


def test_reading_row_by_row_holds_no_more_than_a_piece(tmp_path):
    """Ten times the rows need no more memory, packed or not."""
    peaks = []
    for rows in (5_000, 50_000):
        path = tmp_path / f"{rows}.csv.gz"
        with gzip.open(path, "wt", encoding="utf-8", newline="") as stream:
            stream.write("id,text\n" + "".join(f"{number},a text of some length\n" for number in range(rows)))
        tracemalloc.start()
        with RowReader(path, CsvFormat()) as reader:
            assert rows == sum(1 for _ in reader)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("value", ['"', "\n", "\0", "\ufeff", "ab", ""])
def test_what_cannot_separate_values_is_refused(value):
    """A quote or a line break as a delimiter is a mistake that the spec's reader names."""
    with pytest.raises(ValueError, match="delimiter"):
        CsvFormat(delimiter=value)
