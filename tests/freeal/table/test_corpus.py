"""Tables as people's programs write them: each is read as it says, or refused with its line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "corpus"))  # scripts: their folder is their path

from csv_corpus import CASES

from freeal.errors import InputError
from freeal.table import RowReader, TableWriter, read_table
from freeal.table.csv_format import CsvFormat


def test_the_corpus_is_large_and_every_case_has_a_name_of_its_own():
    """At least 120 odd tables."""
    assert len(CASES) >= 120
    assert len(CASES) == len({case.name for case in CASES})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_table_is_read_as_it_says_or_refused_with_its_line(case, tmp_path):
    """No value is lost, changed or shifted; what cannot be read is refused by name, place and remedy."""
    path = tmp_path / case.file
    path.write_bytes(case.content)
    told = CsvFormat(**case.told)
    if case.error is not None:
        with pytest.raises(InputError, match=case.error) as caught:
            read_table(path, told)
        assert (path, case.line) == (caught.value.where.file, caught.value.where.line)
        return
    table = read_table(path, told)
    assert (case.header, list(case.rows)) == (table.header, [tuple(row) for row in table.rows])
    assert case.lines in (None, tuple(table.lines))
    assert case.guesses in (None, len(table.dialect.notices))


@pytest.mark.parametrize("case", [case for case in CASES if case.error is None], ids=lambda case: case.name)
def test_what_is_read_comes_back_value_for_value_from_what_is_written(case, tmp_path):
    """Our CSV of the same table reads back the same."""
    path = tmp_path / case.file
    path.write_bytes(case.content)
    written = tmp_path / "written.csv"
    with RowReader(path, CsvFormat(**case.told)) as reader, written.open("w", encoding="utf-8", newline="") as stream:
        writer = TableWriter(stream, reader.dialect.output_delimiter)
        writer.write(reader.header)
        for _, row in reader:
            writer.write(row)
    again = read_table(written, CsvFormat(delimiter=reader.dialect.output_delimiter, skip_rows=0))
    assert (case.header, list(case.rows)) == (again.header, [tuple(row) for row in again.rows])
