"""All that is wrong with a CSV and its spec, said at once and before anything is asked."""

from __future__ import annotations

import json

import anyio
import pytest

from freeal.cli.command_line import main
from freeal.cost_estimate.job_estimate import estimate_job
from freeal.errors import InputError, SpecError
from freeal.events import Notice
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.preflight import preflight_check
from freeal.spec.job_spec import Spec
from freeal.spec.job_spec import load as load_spec
from freeal.table import read_table
from freeal.testing.server import MessagesServer

ROWS = [
    f"{number},{'good' if number % 2 else 'bad'} film {number},{'Good' if number % 2 else 'bad'}"
    for number in range(60)
]


def _table(tmp_path, header="id,text,truth", rows=ROWS):
    path = tmp_path / "in.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def _spec(**keys):
    return Spec(**({"name": "n", "description": "d", "labels": ["good", "bad"], "id_column": "id"} | keys))


def _warnings(tmp_path, *, header="id,text,truth", rows=ROWS, **keys):
    keys.setdefault("label_column", "truth")
    keys.setdefault("text_columns", ["text"])
    found = preflight_check.read(_table(tmp_path, header, rows), _spec(**keys)).warnings
    return tuple(one for one in found if not one.startswith("only "))  # of few texts; it has a test of its own


def test_what_fits_is_read_without_a_word(tmp_path):
    """A table that fits its spec gives no warning."""
    assert () == _warnings(tmp_path)


def test_every_problem_is_named_with_its_place(tmp_path):
    """Two missing columns, each with the nearest there is, and truth that is no label: three problems in one error."""
    spec = _spec(text_columns=["txt"], id_column="ident", label_column="truth", labels=["yes", "no"])
    with pytest.raises(InputError) as caught:
        preflight_check.read(_table(tmp_path), spec)
    assert [("txt", 1), ("ident", 1), ("truth", 2)] == [
        (one.where.column, one.where.line) for one in caught.value.problems
    ]
    assert "did you mean 'text'?" == caught.value.problems[0].hint
    said = str(caught.value)
    assert said.startswith("3 problems:\n  1. ")
    assert "'bad' (30 times, from line 2 on)" in said
    assert caught.value.problem.startswith("3 problems; the first: text_columns")


def test_one_problem_is_an_error_like_any_other(tmp_path):
    """No list where there is nothing to list."""
    with pytest.raises(InputError, match=r"in\.csv: no row has any text in text") as caught:
        preflight_check.read(_table(tmp_path, rows=["1,,good", "2, ,bad"]), _spec(text_columns=["text"]))
    assert () == caught.value.problems


def test_truth_beyond_the_labels_is_a_warning(tmp_path):
    """Some values are none of the labels: how many, the first lines, what may be meant; the others are evaluated."""
    rows = ["a,one,good", "b,two,goood", "c,three,góod", "d,four,go od", "e,five,??", "f,six,", "g,seven,??"]
    (warning,) = _warnings(tmp_path, rows=rows)
    assert warning.startswith("5 of 6 values of label_column 'truth' are none of the labels and are not evaluated: ")
    assert "'??' (2 times, from line 6 on)" in warning
    for value, line in (("goood", 3), ("góod", 4), ("go od", 5)):
        assert f"{value!r} (line {line}; did you mean 'good'?)" in warning


def test_an_empty_label_column_is_a_warning(tmp_path):
    """Nothing can be evaluated, and everything be labelled."""
    rows = [f"{number},text {number}," for number in range(5)]
    assert ("label_column 'truth' is empty in every row: nothing can be evaluated",) == _warnings(tmp_path, rows=rows)


def test_ids_that_stand_twice_are_a_warning_with_their_lines(tmp_path):
    """A few are named, the others counted."""
    rows = [f"{number % 7},text {number}," for number in range(14)]
    found = _warnings(tmp_path, rows=rows, label_column=None)
    assert 1 == len(found)
    assert found[0].startswith(
        "id_column 'id' does not tell all rows apart: '0' on lines 2 and 9, '1' on lines 3 and 10"
    )
    assert found[0].endswith(" and 2 others")


def test_labels_that_differ_by_accents_are_a_warning(tmp_path):
    """Two words to a person, perhaps one to a language model."""
    assert any(
        "'pâté' and 'pate' differ by accents only" in one
        for one in _warnings(tmp_path, labels=["pâté", "pate", "good", "bad"])
    )


@pytest.mark.parametrize(("texts", "said"), [(1, "1 distinct text"), (2, "2 distinct texts"), (9, "9 distinct texts")])
def test_fewer_than_five_texts_per_label_are_a_warning(tmp_path, texts, said):
    """It can be done, and is nothing to rely on; from five per label on nothing is said."""
    rows = [f"{number},text {number % texts},good" for number in range(12)]
    wanted = f"only {said} for 2 labels: no student can learn them all from so few"
    assert wanted in preflight_check.read(_table(tmp_path, rows=rows), _spec(text_columns=["text"])).warnings
    assert None is preflight_check.too_few_texts(10, labels=2)
    assert "only 30 distinct texts for 30 labels" in (preflight_check.too_few_texts(30, labels=30) or "")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (lambda number: "Good " if number % 2 else "bad", "holds the true label in 100% of the rows"),
        (lambda number: "5" if number % 2 else "1", "its 2 values go with the true label in 100% of the rows"),
    ],
)
def test_truth_within_the_text_is_a_loud_warning(tmp_path, column, said):
    """A text column that tells the label, or whose few values go with it, makes any accuracy worthless."""
    rows = [f"{row},{column(number)}" for number, row in enumerate(ROWS)]
    (warning,) = _warnings(tmp_path, header="id,text,truth,stars", rows=rows, text_columns=["text", "stars"])
    assert "column 'stars' is read as text" in warning
    assert said in warning


def test_a_column_that_tells_nothing_is_none(tmp_path):
    """Few values that do not go with the truth, and a rare label, are no leak."""
    rows = [f"{number},text {number},{'bad' if number == 7 else 'good'},{number % 3}" for number in range(60)]
    assert () == _warnings(tmp_path, header="id,text,truth,stars", rows=rows, text_columns=["text", "stars"])


def test_a_forgotten_label_column_is_recognised(tmp_path):
    """All columns are read by default: one that holds nothing but labels is probably the truth."""
    (warning,) = _warnings(tmp_path, label_column=None, text_columns=None)
    assert "column 'truth' is read as text and holds nothing but names of labels" in warning


def test_paraphrases_of_no_use_are_a_warning(tmp_path):
    """Empty everywhere, or the text itself."""
    for other, said in (("", "is empty in every row"), ("same", "repeats the text in 2 of 2 texts")):
        rows = [f"{number},same,{other}" if number else f"0,other,{other and 'other'}" for number in range(2)]
        (warning,) = _warnings(
            tmp_path, header="id,text,again", rows=rows, label_column=None, paraphrase_column="again"
        )
        assert said in warning


def test_rows_of_the_examples_are_not_evaluated(tmp_path):
    """Their label was given away: they have no truth, and a warning counts them."""
    path = _table(tmp_path)
    spec = _spec(label_column="truth", text_columns=["text"], examples=[["good film 1", "good"], ["new", "bad"]])
    checked = preflight_check.check(read_table(path), spec)
    assert [1] == [row for row, label in enumerate(checked.pool.truth) if label is None]
    assert ("rows whose text stands in the examples are not evaluated: 1 with a true label",) == checked.warnings


def _job(tmp_path, csv, spec, **llm):
    return TrainingJob(
        job_id="j", csv=csv, spec=spec, output=tmp_path / "out", work=tmp_path / "work",
        answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path, llm=llm,
    )  # fmt: skip


def test_nothing_is_asked_where_something_is_wrong(tmp_path, encoder_folder):
    """A job and its estimate say the same, and the server hears nothing."""
    spec = _spec(label_column="sentiment", text_columns=["txt"], student={"model": str(encoder_folder)})
    with MessagesServer(answer=lambda _: "good") as server:
        job = _job(tmp_path, _table(tmp_path), spec, provider="anthropic", base_url=server.base_url)
        with pytest.raises(InputError) as trained:
            anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
        with pytest.raises(InputError) as estimated:
            anyio.run(lambda: estimate_job(job, environ={"ANTHROPIC_API_KEY": "sk-ant-test"}))
        assert [] == server.requests
    assert 2 == len(trained.value.problems)
    assert str(trained.value) == str(estimated.value)


def test_warnings_stand_wherever_a_person_looks(tmp_path, encoder_folder):
    """In what is told, in run.json and metrics.json, in the report, and in an estimate before."""
    spec = _spec(
        label_column="truth", text_columns=["text"], iterations=1, llm={"provider": "anthropic"},
        student={"model": str(encoder_folder), "mode": "frozen"},
    )  # fmt: skip
    told = []
    with MessagesServer(answer=lambda text: "good" if "good" in text else "bad") as server:
        csv = _table(tmp_path, rows=[*ROWS[:20], "99,another film,Odd"])
        job = _job(tmp_path, csv, spec, base_url=server.base_url)
        outcome = anyio.run(lambda: train(job, emit=told.append, api_key="sk-ant-test", environ={}))
    (warning,) = outcome.metrics["warnings"]
    assert "'Odd' (line 22" in warning
    assert warning in [event.message for event in told if isinstance(event, Notice)]
    assert [warning] == json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["warnings"]
    assert "1 of 21 values of label_column" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    found = anyio.run(lambda: estimate_job(job, environ={"ANTHROPIC_API_KEY": "sk-ant-test"}))
    assert ("note", warning) in found.figures()


def test_every_problem_of_a_spec_is_named_with_its_line(tmp_path):
    """Keys, labels, columns and examples: one error, in the order of the lines, what is missing last."""
    path = tmp_path / "s.yaml"
    path.write_text(
        "labels: [good, Good, bad]\ntext_colums: [t]\niterations: many\ntext_columns: [t]\nlabel_column: t\n"
        "student: {modell: x}\n",
        encoding="utf-8",
    )
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert [(1, "labels.1"), (2, "text_colums"), (3, "iterations"), (5, "label_column"), (6, "student.modell")] == [
        (one.where.line, one.where.key) for one in caught.value.problems[:-1]
    ]
    assert "description" == caught.value.problems[-1].where.key


def test_every_wrong_example_is_named_with_its_line(tmp_path):
    """An unknown label, an empty text and half a pair, each on a line of its own."""
    path = tmp_path / "s.yaml"
    path.write_text(
        "description: d\nlabels: [good, bad]\nexamples:\n- [fine, goood]\n- ['', bad]\n- [alone]\n- [well, good]\n",
        encoding="utf-8",
    )
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert [4, 5, 6] == [one.where.line for one in caught.value.problems]
    assert "did you mean 'good'?" in caught.value.problems[0].problem


def test_the_command_line_prints_them_all(tmp_path, monkeypatch, capsys):
    """`freeal train` numbers the problems of its flags, and those of the CSV, without a traceback."""
    monkeypatch.chdir(tmp_path)
    _table(tmp_path)
    command = ["train", "--input-csv", "in.csv", "--output-model", "m"]
    assert 78 == main([*command, "--labels", "a", "A", "--iterations", "0"])
    assert "freeal: 2 problems:\n  1. key '--labels'" in capsys.readouterr().err
    assert 1 == main([*command, "--labels", "a", "b", "--label-column", "sentiment", "--text-columns", "txt"])
    said = capsys.readouterr().err
    assert "  1. in.csv, line 1, column 'txt'" in said
    assert "  2. in.csv, line 1, column 'sentiment'" in said
