"""Reading and writing CSVs."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.errors import InputError
from freeal.spec import CsvFormat
from freeal.table import TableWriter, detect, free_name, read_table, write_rows

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
    assert delimiter == detect(path, CsvFormat()).delimiter


def test_one_column_needs_no_delimiter(tmp_path):
    """A list of sentences is a table of one column, as long as the header has no delimiter in it."""
    path = _written(tmp_path, "text\nnothing here\nnor here\n")
    assert read_table(path).rows == [["nothing here"], ["nor here"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_names_the_encoding(tmp_path, encoding):
    """UTF-8 with and without mark and UTF-16 read alike; the mark is no part of the first name."""
    table = read_table(_written(tmp_path, "id,text\n1,Grüße 🎉\n", encoding))
    assert (table.header, table.rows) == (("id", "text"), [["1", "Grüße 🎉"]])


def test_another_encoding_is_refused_with_its_line_and_a_hint(tmp_path):
    """Latin-1 is not guessed at: the error says where it broke and which key names the encoding."""
    path = _written(tmp_path, "id,text\n1,ok\n2,café\n", "latin-1")
    with pytest.raises(InputError, match=r"in\.csv, line \d+: is not utf-8 text.*csv\.encoding"):
        read_table(path)
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
