"""Reading what a person corrected, and what is wrong with it: freeal/corrections/corrections_file.py."""

from __future__ import annotations

import csv

import pytest

from freeal.corrections import corrections_file
from freeal.errors import InputError
from freeal.table.csv_format import CsvFormat

HEADER = ("body", "freeal_corrected")


@pytest.fixture
def read(tmp_path):
    """Write a table and read the corrections in it."""

    def reading(rows, *, header=HEADER, columns=("body",)):
        with (tmp_path / "c.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        return corrections_file.read(tmp_path / "c.csv", CsvFormat(), text_columns=columns, labels=("yes", "no"))

    return reading


def test_rows_with_a_value_are_corrections_in_order(read):
    """In any case, with blanks around; a row said twice counts once, a row without a value not at all."""
    found = read([("a", " YES "), ("b", ""), ("c", "no"), ("a", "yes")])
    assert [("a", "yes", 2), ("c", "no", 4)] == [(one.text, one.label, one.line) for one in found]


def test_texts_of_several_columns_are_made_as_in_training(read):
    """Whatever the order of the columns in the file."""
    [found] = read([("no", "2", "1")], header=("freeal_corrected", "body", "title"), columns=("title", "body"))
    assert "title: 1, body: 2" == found.text


def test_all_that_is_wrong_is_told_at_once(read):
    """Unknown labels, labels without a text, contradictions: each with its line, in one error."""
    with pytest.raises(InputError) as caught:
        read([("a", "yess"), ("", "no"), ("b", "yes"), ("b", "no"), ("c", "")])
    assert [2, 3, 5] == [problem.where.line for problem in caught.value.parts]
    assert "did you mean 'yes'?" in str(caught.value)


def test_missing_columns_are_told_together(read):
    """Neither the column of the corrections nor the text: both are named, with the nearest there is."""
    with pytest.raises(InputError, match=r"(?s)freeal_corrected.*body"):
        read([("a", "b")], header=("bodi", "freeal_correct"))


def test_a_file_without_a_correction_is_an_error(read):
    """A queue that was sent back untouched is a mistake, not a version."""
    with pytest.raises(InputError, match="no row has a value in freeal_corrected"):
        read([("a", " ")])


def test_thousands_of_wrong_rows_are_told_in_a_few_lines(read):
    """The first fifty problems, and how many more there are."""
    with pytest.raises(InputError) as caught:
        read([(f"text {number}", "x") for number in range(2000)])
    assert 51 == len(caught.value.parts)
    assert "1,950 more" in caught.value.parts[-1].problem


def test_what_was_said_is_remembered_and_forgotten(tmp_path):
    """As text -> label; nothing said leaves no file, and no digest."""
    corrections_file.remember_corrections(tmp_path, {"a": "yes"})
    first = corrections_file.digest_of_corrections(tmp_path)
    assert {"a": "yes"} == corrections_file.remembered_corrections(tmp_path)
    corrections_file.remember_corrections(tmp_path, {"a": "no"})
    assert corrections_file.digest_of_corrections(tmp_path) not in {"", first}
    corrections_file.remember_corrections(tmp_path, {})
    assert ({}, "") == (
        corrections_file.remembered_corrections(tmp_path),
        corrections_file.digest_of_corrections(tmp_path),
    )
