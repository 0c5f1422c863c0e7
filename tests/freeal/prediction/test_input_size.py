"""How much there is to do."""

from __future__ import annotations

import gzip

import pytest

from freeal.errors import InputError
from freeal.prediction.input_size import measure_input


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\n1\n2\n", 3),
        (b"a\n1\n2", 3),
        (b"a\r\n1\r\n2\r\n", 3),
        (b"a\r1\r2\r", 3),
        ("a\n1\n2\n".encode("utf-16"), 3),
        (b"a\n", 1),
        (b"", 0),
    ],
)
def test_lines_are_counted_whatever_ends_them(tmp_path, content, lines):
    """With any newline, with and without one at the end; packed or not."""
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    assert (lines, lines) == (measure_input(plain).lines, measure_input(packed).lines)


def test_a_damaged_archive_is_left_to_its_reader(tmp_path):
    """Counting stops where reading does; nothing is raised here."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" * 1000)[:-12])
    assert measure_input(path).lines <= 1000


def test_the_rows_of_a_parquet_file_are_known(tmp_path):
    """From its footer."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["a"] * 7}), tmp_path / "a.parquet")
    extent = measure_input(tmp_path / "a.parquet")
    assert 7 == extent.rows_expected(rows_read=0, line=1)


def test_an_estimate_follows_the_line_breaks_within_values(tmp_path):
    """Ten rows on twenty lines: five rows read on ten lines mean ten in all."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\n" + b'"a\nb"\n' * 10)
    assert 10 == measure_input(path).rows_expected(rows_read=5, line=11)


def test_a_file_that_is_not_there_is_an_input_error(tmp_path):
    """It names the file."""
    with pytest.raises(InputError, match=r"a\.csv"):
        measure_input(tmp_path / "a.csv")
