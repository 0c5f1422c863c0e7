"""Rows to distinct texts."""

from __future__ import annotations

import pytest

from freeal.errors import InputError
from freeal.pool.text_pool import EMPTY, build_pool
from freeal.spec.job_spec import Spec
from freeal.table import read_table

CSV = "id,title,body,sentiment\n1,A,x,Good\n2,,,good\n3,A,x,bad\n4,, only body ,odd\n"


def _pool(tmp_path, content=CSV, **keys):
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    spec = Spec(name="t", description="d", labels=["good", "bad"], **keys)
    return build_pool(read_table(path), spec)


def test_columns_become_one_text_without_the_empty_ones(tmp_path):
    """`column: value` pairs joined by commas; an empty value is left out and a value is trimmed."""
    pool = _pool(tmp_path, text_columns=["title", "body"])
    assert pool.texts == ("title: A, body: x", "body: only body")


def test_one_text_column_is_its_bare_value(tmp_path):
    """A single text column carries no column name into the prompt."""
    assert _pool(tmp_path, text_columns=["body"]).texts == ("x", "only body")


def test_duplicates_share_a_text_and_empty_rows_have_none(tmp_path):
    """Rows 1 and 3 hold the same text, row 2 holds none."""
    pool = _pool(tmp_path, text_columns=["title", "body"])
    assert (pool.row_index, pool.first_row) == ((0, EMPTY, 0, 1), (0, 3))


def test_text_columns_default_to_all_but_truth_and_id(tmp_path):
    """Neither the label column nor the id is ever part of the text."""
    assert _pool(tmp_path, label_column="sentiment", id_column="id").text_columns == ("title", "body")


def test_truth_is_matched_without_case_and_unknown_values_are_counted(tmp_path):
    """`Good` is the label good; `odd` is no label, so that row is not evaluated."""
    pool = _pool(tmp_path, label_column="sentiment", text_columns=["body"])
    assert (pool.truth, pool.unknown_truth) == (("good", "good", "bad", None), 1)


def test_a_table_without_text_is_refused(tmp_path):
    """All texts empty is an error of the input, not an empty result."""
    with pytest.raises(
        InputError, match=r"no row has any text in body \(name other text_columns \(there are also id\)\)"
    ):
        _pool(tmp_path, "id,body\n1,\n2, \n", text_columns=["body"])


def test_a_header_without_rows_is_refused(tmp_path):
    """A header alone says that there are no rows."""
    with pytest.raises(
        InputError, match=r"has a header but no rows: all there is in it is 'id, body' \(write rows below it"
    ):
        _pool(tmp_path, "id,body\n", text_columns=["body"])


REWORDED = "id,title,body,other\n1,A,x, In other words \n2,,,\n3,A,x,ignored\n4,,only body,\n"


def test_paraphrases_belong_to_distinct_texts(tmp_path):
    """Each distinct text has what stands in its first row, trimmed, empty where there is nothing; it is no text."""
    pool = _pool(tmp_path, REWORDED, id_column="id", paraphrase_column="other")
    assert (("title", "body"), ("In other words", "")) == (pool.text_columns, pool.paraphrases)
    assert not any("other words" in text for text in pool.texts)


def test_without_a_paraphrase_column_there_are_none(tmp_path):
    """None, not a list of empty ones."""
    assert _pool(tmp_path).paraphrases is None


def test_a_paraphrase_column_that_is_not_there_is_named(tmp_path):
    """The error names the column, the key and the nearest column there is."""
    with pytest.raises(InputError, match=r"column 'othr': paraphrase_column names .*did you mean 'other'") as caught:
        _pool(tmp_path, REWORDED, paraphrase_column="othr")
    assert "othr" == caught.value.where.column
