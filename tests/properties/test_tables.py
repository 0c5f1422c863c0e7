"""What is written reads back, whoever reads it; and whatever is read, no row changes place."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freeal.errors import FreealError
from freeal.table import read_table, write_rows
from freeal.table.csv_format import CsvFormat

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "gb18030", "cp1252", "shift_jis", "latin-1")
HOSTILE = st.sampled_from(
    ["", " ", '"', '""', "\n", "\r", "\r\n", ",", ";", "\\", '\\"', "\ufeff", "sep=;", "=1+1", "\0"]
)
CELL = st.one_of(st.text(st.characters(exclude_categories=("Cs",)), max_size=12), HOSTILE)
ASCII = st.text(st.characters(max_codepoint=126, exclude_characters="\0"), max_size=8)


def _tables(cell):
    return st.integers(1, 4).flatmap(
        lambda width: st.tuples(
            st.lists(cell, min_size=width, max_size=width).filter(lambda names: "".join(names).strip(" \t\r\n\x1a")),
            st.lists(st.lists(cell, min_size=width, max_size=width), max_size=6),
        )
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "table.csv"


def _write(path, header, rows, delimiter):
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, header, rows, delimiter=delimiter)


@given(table=_tables(CELL), delimiter=st.sampled_from(",;\t|^ "))
@example(table=(["\0"] * 4, []), delimiter=",")
@example(table=([",0"], [["0,"]]), delimiter=",")
@settings(deadline=None)
def test_we_read_back_what_we_write(path, table, delimiter):
    """Every table of any text, with any delimiter, comes back value for value, header and line breaks included. Of one
    with zero bytes the encoding is told: where they are every other byte it would be guessed to be UTF-16. Of a single
    column the quoting is: where all values split alike it would be whole lines in quotes."""
    header, rows = table
    _write(path, header, rows, delimiter)
    encoding = "utf-8" if b"\0" in path.read_bytes() else None
    quoting = "minimal" if len(header) == 1 else None
    again = read_table(path, CsvFormat(delimiter=delimiter, skip_rows=0, encoding=encoding, quoting=quoting))
    assert (tuple(header), rows) == (again.header, again.rows)


@given(table=_tables(CELL), delimiter=st.sampled_from(",;\t|"))
@settings(deadline=None)
def test_pythons_csv_reads_back_what_we_write(path, table, delimiter):
    """Our output needs no dialect of its own."""
    header, rows = table
    _write(path, header, rows, delimiter)
    with path.open(encoding="utf-8", newline="") as stream:
        assert [header, *rows] == list(csv.reader(stream, delimiter=delimiter, strict=True))


@given(table=_tables(CELL.filter(lambda value: "\0" not in value)), delimiter=st.sampled_from(",;\t|"))
@settings(deadline=None)
def test_pandas_reads_back_what_we_write(path, table, delimiter):
    """So do others: as text, with nothing taken for missing. NUL is left out: pandas ends a value there."""
    header, rows = table
    _write(path, header, rows, delimiter)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, sep=delimiter, header=None, encoding="utf-8")
    assert [header, *rows] == frame.to_numpy().tolist()


@given(
    table=_tables(ASCII),
    encoding=st.sampled_from(ENCODINGS),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
@settings(deadline=None)
def test_any_dialect_reads_value_for_value(path, table, encoding, ending, data):
    """Any encoding, delimiter, quoting and line ending that is told is read as it says."""
    header, rows = table
    delimiter = data.draw(st.sampled_from(",;\t|"))
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    path.write_bytes(stream.getvalue().encode(encoding))
    told = CsvFormat(encoding=encoding, delimiter=delimiter, quoting="minimal", skip_rows=0)
    again = read_table(path, told)
    assert (tuple(header), rows) == (again.header, again.rows)


@given(table=_tables(ASCII), delimiter=st.sampled_from(",;\t|"))
@settings(deadline=None)
def test_backslashes_read_value_for_value(path, table, delimiter):
    """So are quotes and backslashes that are escaped with backslashes."""
    header, rows = table
    lines = [
        delimiter.join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in row)
        for row in (header, *rows)
    ]
    path.write_bytes("\n".join(lines).encode())
    again = read_table(path, CsvFormat(delimiter=delimiter, quoting="backslash", skip_rows=0))
    assert (tuple(header), rows) == (again.header, again.rows)


WORD = st.text("abcdeäéß -.'", min_size=1, max_size=10).filter(str.strip)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 999).map(str), st.lists(WORD, min_size=1, max_size=3).map(", ".join)),
        min_size=1,
        max_size=8,
    ),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
@settings(deadline=None)
def test_what_is_not_told_is_found(path, rows, delimiter, encoding):
    """An ordinary table, in any of the usual dialects, is read as it says with nothing told."""
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows([["id", "text"], *rows])
    path.write_bytes(stream.getvalue().encode(encoding))
    again = read_table(path)
    assert (("id", "text"), [list(row) for row in rows]) == (again.header, again.rows)


TOLD = st.builds(
    CsvFormat,
    encoding=st.sampled_from(
        [None, "utf-8", "latin-1", "utf-16", "shift_jis", "utf-7", "idna", "nothing", "a\0b", "é"]
    ),
    delimiter=st.sampled_from([None, ",", ";", " ", "x", "\u2028"]),
    quoting=st.sampled_from([None, "minimal", "backslash", "none"]),
    skip_rows=st.sampled_from([None, 0, 1, 5]),
    ragged=st.sampled_from([None, "refuse", "pad"]),
)
PIECES = st.sampled_from(
    [mark.encode() for mark in ',;\t|"\\\n\r\0 {}[\x1aé']
    + [b'""', b"\r\n", b"id,text\n", b"1,a\n", b"sep=;\n", b'{"a": 1}\n']
    + [b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"\xe9", b"\xed\xa0\x80"]
)


@given(
    content=st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=30).map(b"".join),
    told=TOLD,
    name=st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.csv.gz", "t.parquet"]),
)
@settings(max_examples=400, deadline=None)
def test_no_bytes_make_the_reader_fall_over(tmp_path_factory, content, told, name):
    """Whatever is dropped is a table or refused with an error of ours that says where; a table is rectangular, and its
    rows stand in the order of their lines."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    table = _outcome(path, told)
    if isinstance(table, FreealError):
        assert path == table.where.file
        return
    assert {len(table.header)} >= {len(row) for row in table.rows}
    assert sorted(set(table.lines)) == table.lines
    "".join("".join(row) for row in table.rows).encode()  # can be written


def _outcome(path, told):
    try:
        return read_table(path, told)
    except FreealError as error:
        return error
