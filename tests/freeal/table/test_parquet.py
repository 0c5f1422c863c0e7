"""Parquet files as tables of text."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys

import pytest

from freeal.errors import InputError
from freeal.table import RowReader, read_table
from freeal.table.csv_format import CsvFormat

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def _written(tmp_path, columns):
    path = tmp_path / "reviews.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_values_become_text_by_a_stated_rule(tmp_path):
    """Null is empty, strings are themselves, numbers and times as pyarrow writes them, lists and structs are JSON."""
    columns = {
        "text": ["  a, é\n", None],
        "zip": ["007", "NA"],
        "count": pa.array([3, None]),
        "price": pa.array([1.5, 0.1], pa.float32()),
        "exact": [decimal.Decimal("1.50"), None],
        "day": [datetime.date(2024, 1, 2), None],
        "good": [True, None],
        "kind": pa.array(["x", "y"]).dictionary_encode(),
        "tags": [["a", "é"], None],
        "more": [{"n": 1}, {"n": None}],
        "none": pa.nulls(2),
    }
    table = read_table(_written(tmp_path, columns))
    assert tuple(columns) == table.header
    assert [
        ["  a, é\n", "007", "3", "1.5", "1.50", "2024-01-02", "true", "x", '["a", "é"]', '{"n": 1}', ""],
        ["", "NA", "", "0.1", "", "", "", "y", "", '{"n": null}', ""],
    ] == table.rows
    assert [2, 3] == table.lines
    assert ("utf-8", ",") == (table.dialect.encoding, table.dialect.output_delimiter)


def test_rows_keep_their_order_over_many_batches(tmp_path):
    """More rows than a batch or a row group holds come one after the other."""
    path = tmp_path / "reviews.parquet"
    pq.write_table(pa.table({"id": list(range(10_000))}), path, row_group_size=3_000)
    with RowReader(path, CsvFormat()) as reader:
        assert [(number + 2, [str(number)]) for number in range(10_000)] == list(reader)


def test_bytes_that_are_no_text_are_refused_with_their_column(tmp_path):
    """A picture in a column is not written into a CSV."""
    with pytest.raises(InputError, match=r"column 'picture': holds binary, which is no text"):
        read_table(_written(tmp_path, {"picture": [b"\xff\xd8"]}))


def test_a_damaged_file_is_refused(tmp_path):
    """Half a Parquet file says so."""
    path = _written(tmp_path, {"text": ["a"] * 1000})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is no Parquet file that can be read"):
        read_table(path)


def test_what_is_said_about_a_csv_is_refused_rather_than_ignored(tmp_path):
    """A delimiter means nothing to a Parquet file."""
    with pytest.raises(InputError, match=r"key 'csv\.delimiter': is no CSV"):
        read_table(_written(tmp_path, {"text": ["a"]}), CsvFormat(delimiter=";"))


def test_without_pyarrow_the_error_names_the_extra(tmp_path):
    """Whoever lacks the package reads how to get it."""
    code = (
        "import sys; sys.modules['pyarrow'] = None; from pathlib import Path; from freeal.table import read_table\n"
        "try: read_table(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    path = _written(tmp_path, {"text": ["a"]})
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("InputError")
    assert "pip install 'freeal-daemon[parquet]'" in done.stdout
