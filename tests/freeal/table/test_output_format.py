"""Rows in the form that a name asks for (freeal/table/output_format.py)."""

from __future__ import annotations

from freeal.table.output_format import rows_in_form


def test_parquet_that_is_poured_elsewhere_is_parquet(tmp_path):
    """A pipe called so, say: the rows are written beside under a name that tells their form."""
    with rows_in_form(tmp_path / "output.csv", name="pipe.parquet") as rows:
        assert "output.parquet" == rows.name
        rows.write_text("made")
    assert ("made", ["output.csv"]) == (
        (tmp_path / "output.csv").read_text(),
        [path.name for path in tmp_path.iterdir()],
    )
