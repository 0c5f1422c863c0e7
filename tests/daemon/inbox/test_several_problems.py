"""What was found wrong travels whole: from a child process to ERROR.txt and error.json."""

from __future__ import annotations

import json

import pytest

from daemon.outbox import move_to_done_or_failed
from daemon.processes.message_protocol import Failure, decode, encode
from freeal.errors import InputError, Problem, Where


@pytest.fixture
def inputs(tmp_path):
    """A claimed CSV and its spec."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name in ("in.csv", "in.yaml"):
        (folder / name).write_text("x", encoding="utf-8")
    return folder


def _failed(inputs, tmp_path, error):
    failure = decode(encode(Failure.of(error)))
    report = move_to_done_or_failed.move_to_failed(
        inputs, tmp_path / "failed", failure, subject="job-1", then="mend it", now=0.0
    )
    written = json.loads((tmp_path / "failed" / "error.json").read_text(encoding="utf-8"))
    assert report == written
    return written, (tmp_path / "failed" / "ERROR.txt").read_text(encoding="utf-8")


def test_several_problems_are_numbered_with_their_places(inputs, tmp_path):
    """Each says what, where the file lies now, and what to do; the end says once how to go on."""
    error = InputError.of(
        [
            Problem("a column is missing", Where(file=inputs / "in.csv", line=1, column="txt"), "did you mean 'text'?"),
            Problem("no label is known", Where(file=inputs / "in.csv", line=7)),
        ]
    )
    report, prose = _failed(inputs, tmp_path, error)
    moved = str(tmp_path / "failed" / "in.csv")
    assert [
        {"problem": "a column is missing", "where": {"file": moved, "line": 1, "column": "txt"},
         "hint": "did you mean 'text'?"},
        {"problem": "no label is known", "where": {"file": moved, "line": 7}, "hint": None},
    ] == report["problems"]  # fmt: skip
    assert "2 problems; the first: a column is missing" == report["problem"]
    assert report["problems"][0]["where"] == report["where"]
    assert prose.startswith("2 problems; all of them must be mended.\n\n1.\nWhat:   a column is missing\n")
    assert f"\n2.\nWhat:   no label is known\nWhere:  {moved}, line 7\n" in prose
    assert 1 == prose.count("Then:   mend it")


def test_a_single_problem_reads_as_before(inputs, tmp_path):
    """No number; programs find it in the list as well."""
    error = InputError("is empty", where=Where(file=inputs / "in.csv"), hint="fill it")
    report, prose = _failed(inputs, tmp_path, error)
    assert [{name: report[name] for name in ("problem", "where", "hint")}] == report["problems"]
    assert prose.startswith("What:   is empty\nWhere:  ")


def test_what_travelled_can_be_shown_again():
    """The error on this side prints what the error on the other side would have."""
    error = InputError.of([Problem("one", Where(line=1), "mend"), Problem("two", Where(key="labels"))])
    for original in (error, InputError("alone", where=Where(line=3), hint="so")):
        assert str(original) == str(decode(encode(Failure.of(original))).as_error())
