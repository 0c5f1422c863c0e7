"""Which names are tables."""

from __future__ import annotations

import pytest

from freeal.table.file_formats import data_stem, form_of, is_data, is_plain_csv


@pytest.mark.parametrize(
    ("name", "stem", "form"),
    [
        ("reviews.csv", "reviews", "csv"),
        ("Reviews.CSV", "Reviews", "csv"),
        ("reviews.csv.gz", "reviews", "csv"),
        ("reviews.v2.tsv", "reviews.v2", "tsv"),
        ("reviews.tsv.gz", "reviews", "tsv"),
        ("reviews.jsonl", "reviews", "jsonl"),
        ("reviews.ndjson.gz", "reviews", "jsonl"),
        ("reviews.parquet", "reviews", "parquet"),
        ("reviews.xlsx", "reviews", "xlsx"),
    ],
)
def test_a_name_tells_stem_and_form(name, stem, form):
    """An ending of two parts is one ending."""
    assert (True, stem, form) == (is_data(name), data_stem(name), form_of(name))


@pytest.mark.parametrize("name", ["reviews.yaml", "reviews.gz", "reviews.xls", "csv", "reviews.csv.bak"])
def test_other_names_are_no_tables(name):
    """Not everything is for us."""
    assert not is_data(name)


def test_only_a_plain_csv_lends_its_delimiter_to_the_output():
    """What is packed, or no CSV at all, comes back as an ordinary CSV with commas."""
    assert [True, False, False, True] == [is_plain_csv(name) for name in ("a.csv", "a.csv.gz", "a.tsv", "a.txt")]
