"""The files of a finished job."""

from __future__ import annotations

import csv
import dataclasses
import json

import pytest

from freeal.loop.final_label import decide_final_labels
from freeal.loop.loop_result import LoopResult
from freeal.pool.text_pool import build_pool
from freeal.results import output_files
from freeal.spec.job_spec import Spec
from freeal.table import read_table

CSV = "id;text;freeal_label;truth\n007;fine;mine;no\n008;;x;no\n009;fine;y;yes\n010;bad;NA;yes\n"
LABELS = ("no", "yes")


@pytest.fixture
def finished(tmp_path, make_round):
    """A small job: two distinct texts in four rows, one of them empty, one a duplicate."""
    path = tmp_path / "in.csv"
    path.write_text(CSV, encoding="utf-8")
    table = read_table(path)
    spec = Spec(name="t", description="d", labels=list(LABELS), text_columns=["text"], label_column="truth")
    pool = build_pool(table, spec)
    state = make_round(["no", None], [0.9, 0.0], [[0.8, 0.2], [0.3, 0.7]])
    return table, pool, state, decide_final_labels(state, LABELS, abstain_below=0.0)


def _rows(path, delimiter=","):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


def test_every_row_comes_back_in_order_with_its_cells_as_they_were(tmp_path, finished):
    """Rows in = rows out, leading zeros and NA included, and the delimiter is the input's; Excel opens it right."""
    table, pool, state, decisions = finished
    output_files.write_annotated(tmp_path / "out.csv", table, pool, decisions, state.annotations)
    rows = _rows(tmp_path / "out.csv", ";")
    assert ["007", "008", "009", "010"] == [row["id"] for row in rows]
    assert ["mine", "x", "y", "NA"] == [row["freeal_label"] for row in rows]


def test_our_columns_say_what_happened_to_a_row(tmp_path, finished):
    """Label, source and status of a good, an empty, a duplicate and an unanswered row; a taken name gets a number."""
    table, pool, state, decisions = finished
    output_files.write_annotated(tmp_path / "out.csv", table, pool, decisions, state.annotations)
    found = [
        (row["freeal_label_2"], row["freeal_source"], row["freeal_llm_label"], row["freeal_status"])
        for row in _rows(tmp_path / "out.csv", ";")
    ]
    assert [
        ("no", "llm+student", "no", "ok"),
        ("", "failed", "", "empty_text"),
        ("no", "llm+student", "no", "ok;duplicate_of:1"),
        ("yes", "student", "", "invalid_answer"),
    ] == found


def test_our_columns_never_begin_like_a_formula_and_the_users_stay_as_they_are(tmp_path, finished):
    """A spreadsheet runs nothing of ours, not even a rounded -0.0000; what the user's cells say is the user's."""
    table, pool, state, decisions = finished
    decisions = [dataclasses.replace(one, clean=-1e-17, confidence=-0.0) for one in decisions]
    table.rows[0][0] = "=1+1"
    output_files.write_annotated(tmp_path / "out.csv", table, pool, decisions, state.annotations)
    rows = _rows(tmp_path / "out.csv", ";")
    assert "=1+1" == rows[0]["id"]
    ours = [value for row in rows for name, value in row.items() if name not in table.header]
    assert [] == [value for value in (*ours, *output_files.ANNOTATED_COLUMNS) if value.startswith(tuple("=+-@\t\r"))]


def test_the_audit_has_a_line_per_answer_and_no_text(tmp_path, finished):
    """Each answer can be traced to row, round and model; the row's text is not repeated."""
    _, pool, state, _ = finished
    result = LoopResult((state,), state, (), budget_reached=False)
    output_files.write_audit(tmp_path / "audit.jsonl", result, pool, models=[("local", "m")])
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(1, 1, "no"), (4, 1, None)] == [(line["row"], line["round"], line["label"]) for line in lines]
    assert "fine" not in (tmp_path / "audit.jsonl").read_text()


def test_confusions_count_rows(tmp_path, finished):
    """Of three rows with text and truth, one no is right, one yes was called no, one yes was found by the student."""
    _, pool, _, decisions = finished
    output_files.write_confusions(tmp_path, pool, decisions, LABELS)
    table = {row[""]: row for row in _rows(tmp_path / "confusion_truth_final.csv")}
    assert ("1", "0", "1", "1") == (table["no"]["no"], table["no"]["yes"], table["yes"]["no"], table["yes"]["yes"])
    unanswered = {row[""]: row for row in _rows(tmp_path / "confusion_truth_llm.csv")}
    assert "1" == unanswered["yes"]["(none)"]
