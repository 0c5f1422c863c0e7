"""True labels as tables hold them (freeal/pool/true_labels.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeal.errors import InputError
from freeal.pool import true_labels
from freeal.preflight import preflight_check
from freeal.spec.job_spec import Spec


def _spec(**more):
    told = {"name": "t", "description": "d", "labels": ["price", "speed", "a;b"], "kind": "multi"} | more
    return Spec(**told)


def _checked(tmp_path: Path, rows: list[str], header: str, spec: Spec):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return preflight_check.read(path, spec)


@pytest.mark.parametrize(
    ("cell", "known"),
    [
        ("Speed; PRICE", "price;speed"),
        ("price;price", "price"),
        (r"a\;b", r"a\;b"),
        ("(none)", "(none)"),
        ("", None),
        (";", None),
        ("price;cheap", None),
    ],
)
def test_a_cell_of_several_labels(cell, known):
    """In any case and order; a label twice is once; what holds an unknown name is not known at all."""
    assert [known] == true_labels.known([cell], _spec(label_column="x"))


def test_a_column_per_label(tmp_path):
    """Yes and no in many words; all blank is not known, and another word is told with its line."""
    spec = _spec(labels=["price", "speed"], label_columns=["price", "speed"])
    rows = ["one text here,1,0", "two texts here,yes,X", "three texts,false,", "four texts,,", "five texts,maybe,1"]
    checked = _checked(tmp_path, rows, "text,price,speed", spec)
    assert ("price", "price;speed", "(none)", None, None) == checked.pool.truth
    assert any("'price=maybe' (line 6;" in one for one in checked.warnings)


def test_several_labels_in_a_cell_are_proposed_not_taken(tmp_path):
    """With one label per text the spec is told of `kind: multi`, and of the sign between where it is another one."""
    rows = [f"some text {number},{cell}" for number, cell in enumerate(["price|speed", "speed|price", "price"])]
    one = _spec(kind="single", labels=["price", "speed"], label_column="x")
    warnings = _checked(tmp_path, rows, "text,x", one).warnings
    assert any('write kind: multi into the spec and label_separator: "|"' in said for said in warnings)
    many = _spec(labels=["price", "speed"], label_column="x")
    with pytest.raises(InputError, match="""the labels in a cell stand apart by '\\|'"""):
        _checked(tmp_path, rows[:2], "text,x", many)
    told = _spec(labels=["price", "speed"], label_column="x", label_separator="|")
    assert ("price;speed", "price;speed", "price") == _checked(tmp_path, rows, "text,x", told).pool.truth


def test_empty_cells_are_told_of(tmp_path):
    """An empty cell may mean no label or not known: the warning says which it is taken for."""
    checked = _checked(tmp_path, ["some text,price", "another text,"], "text,x", _spec(label_column="x"))
    assert any("1 of 2 cells of label_column 'x' are empty" in one and "(none)" in one for one in checked.warnings)


def test_a_cell_of_signs_alone_is_told_of(tmp_path):
    """It names no label, and is named itself."""
    checked = _checked(tmp_path, ["some text,price", "another text,;"], "text,x", _spec(label_column="x"))
    assert any("none of the labels" in one and "';' (line 3)" in one for one in checked.warnings)


def test_a_tree_takes_one_path_in_a_cell(tmp_path):
    """Where cells hold two paths, several labels are not proposed: a tree cannot have them."""
    tree = _spec(kind="tree", labels={"money": {"price": "", "fee": ""}, "speed": ""}, label_column="x")
    rows = [
        f"some text {number},{cell}"
        for number, cell in enumerate(["money / price;speed", "speed;money / fee", "speed"])
    ]
    warnings = _checked(tmp_path, rows, "text,x", tree).warnings
    assert any("a text has one path of the tree" in said for said in warnings)
    assert not any("kind: multi" in said for said in warnings)


def test_numbers_in_an_order_are_compared_as_numbers(tmp_path):
    """Tables write 4.0 where a column has gaps; what is no number, or another one, is told with its line."""
    spec = _spec(kind="ordinal", labels=["1", "2", "3", "4"], label_column="x")
    rows = ["some text a,4.0", "some text b,2", "some text c,3.5", "some text d,good", "some text e,"]
    checked = _checked(tmp_path, rows, "text,x", spec)
    assert ("4", "2", None, None, None) == checked.pool.truth
    assert any("'3.5' (line 4" in one and "'good' (line 5" in one for one in checked.warnings)
    flat = _checked(tmp_path, rows, "text,x", _spec(kind="single", labels=list(spec.labels), label_column="x"))
    assert (None, "2", None, None, None) == flat.pool.truth
    assert any("'4.0' (line 2; did you mean '4'?)" in one for one in flat.warnings)


def test_a_name_under_two_branches_is_told_with_both(tmp_path):
    """Neither is guessed."""
    spec = _spec(kind="tree", labels={"sales": ["refund", "new"], "billing": ["refund", "late"]}, label_column="x")
    checked = _checked(tmp_path, ["some text,Refund", "other text,late"], "text,x", spec)
    assert (None, "billing / late") == checked.pool.truth
    assert any("'sales / refund' or 'billing / refund'? write the whole path" in one for one in checked.warnings)


def test_a_sign_within_a_name_is_told_how_to_write(tmp_path):
    """`a-b` with - between labels is read as two names that nobody knows."""
    spec = _spec(labels=["a-b", "c"], label_separator="-", label_column="x")
    warnings = _checked(tmp_path, ["some text,a-b", "other text,c"], "text,x", spec).warnings
    assert any(r"within a name write a\-b" in one for one in warnings)
