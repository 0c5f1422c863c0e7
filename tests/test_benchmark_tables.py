"""The harness of the benchmark of tables: what it makes, that every way keeps it, and what it shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "shared"))  # scripts: their folder is their path
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "scale"))

import data
import table_ways

from freeal.table import read_table


def test_the_table_is_the_same_every_time_and_has_line_breaks_in_it(tmp_path):
    """Numbered rows, a tenth of them over two lines."""
    for name in ("a.csv", "b.csv"):
        data.make(tmp_path / name, 50)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    table = read_table(tmp_path / "a.csv")
    assert (50, 5) == (len(table.rows), sum("\n" in row[2] for row in table.rows))


@pytest.mark.parametrize("way", table_ways.WAYS)
def test_every_way_keeps_every_cell(way, tmp_path):
    """The ways are compared on the same work."""
    data.make(tmp_path / "in.csv", 50)
    measured = table_ways.measure(way, tmp_path / "in.csv", tmp_path / "out.csv")
    assert 50 == measured["rows"]
    assert read_table(tmp_path / "in.csv").rows == [row[:3] for row in read_table(tmp_path / "out.csv").rows]


def test_a_row_costs_the_same_in_a_table_of_any_size_where_growth_is_linear():
    """Ten times the rows in eleven times the seconds: 1.10 to the smallest."""
    found = [data.Measured("a way", 10, 1_000, 1.0, 5.0), data.Measured("a way", 100, 10_000, 11.0, 50.0)]
    assert "| 100 | 0.0 | a way | 11.00 | 9 | 1.10 | 50 |" == data.table(found).splitlines()[-1]
