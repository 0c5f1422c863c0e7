"""A prediction left as Parquet: the values of the CSV, as what they are, whatever it was cut off by."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest

from freeal.errors import ConfigError
from freeal.prediction.output import parquet_form
from freeal.prediction.output.output_cells import OutputColumns
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.prediction_run import PredictionRun
from freeal.prediction.published_model import Classifier
from freeal.prediction.row_windows import Window
from freeal.prediction.window_scoring import Scores

parquet = pytest.importorskip("pyarrow.parquet")

SCORES = Scores(np.array([[0.25, 0.75]], dtype=np.float32), np.array([False]))
TEXTS = [f"{'good' if number % 3 else 'bad'} {number % 7}" if number % 5 else "" for number in range(30)]


def _as_parquet(job):
    return job.model_copy(update={"output_csv": job.output_csv.with_suffix(".parquet")})


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_holds_what_the_csv_holds(tmp_path, classifier, table, job):
    """Text stays text, probabilities are numbers whose four digits the CSV has, and what has no label is null."""
    made = job(table(TEXTS))
    summary = predict_csv(made, classifier=classifier)
    assert {**summary, "seconds": 0} == {**predict_csv(_as_parquet(made), classifier=classifier), "seconds": 0}
    found = parquet.read_table(tmp_path / "out.parquet")
    expected = _rows(tmp_path / "out.csv")
    assert ["freeal_row", *expected[0]] == found.column_names
    assert list(range(30)) == found.column("freeal_row").to_pylist()
    for name in ("id", "text", "freeal_label"):
        assert [row[name] for row in expected] == [value or "" for value in found.column(name).to_pylist()]
    assert sum(not text for text in TEXTS) == found.column("freeal_label").null_count
    for name in ("freeal_confidence", "freeal_p_happy"):
        assert "float" == str(found.schema.field(name).type)
        shown = ["" if value is None else f"{value:.4f}" for value in found.column(name).to_pylist()]
        assert [row[name] for row in expected] == shown


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_what_was_cut_off_goes_on_to_the_same_bytes(tmp_path, classifier, table, job, steps):
    """In windows of another size too."""
    path = table(TEXTS * 100)
    predict_csv(_as_parquet(job(path, chunk_rows=700)), classifier=classifier)
    expected = (tmp_path / "out.parquet").read_bytes()
    (tmp_path / "out.parquet").unlink()
    with PredictionRun(_as_parquet(job(path, chunk_rows=450)), classifier) as run:
        assert all(run.step() for _ in range(steps))
    with PredictionRun(_as_parquet(job(path)), classifier) as run:
        assert 450 * steps == run.progress.done
    predict_csv(_as_parquet(job(path, chunk_rows=700)), classifier=classifier)
    assert expected == (tmp_path / "out.parquet").read_bytes()
    assert ["new.csv", "out.parquet"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("windows", [[30], [4] * 7 + [2], [1] * 30, [13, 17]])
@pytest.mark.parametrize(("limits", "expected"), [({}, [9, 9, 9, 3]), ({"group_bytes": 40}, [6, 6, 6, 6, 6])])
def test_row_groups_end_where_the_rows_say(tmp_path, windows, limits, expected):
    """With the block of rows that reaches so many rows, or so many bytes of text; wherever the windows ended."""
    settled = {"group_rows": 7, "block_rows": 3} | limits
    columns = OutputColumns(("no", "yes"))
    form = parquet_form.ParquetForm(tmp_path / "out.parquet", columns, header=["text"], **settled)
    part, packed, first = tmp_path / "part", tmp_path / "packed", 0
    with part.open("wb") as stream:
        stream.write(form.header())
        for rows in windows:
            window = Window([["a text"]] * rows, 0, np.zeros(rows, dtype=np.int64), ["a text"], [], {})
            stream.write(form.window(window, SCORES, {}, first_row=first))
            first += rows
    form.pack(part, packed)
    found = parquet.ParquetFile(packed)
    assert expected == [found.metadata.row_group(one).num_rows for one in range(found.num_row_groups)]
    assert list(range(30)) == found.read().column("freeal_row").to_pylist()


class _KilledError(Exception):
    """As a kill: nothing is tidied up."""


def _killed(*arguments, **named):
    raise _KilledError


@pytest.mark.parametrize("what", ["pack", "unlink", "replace"])
def test_a_kill_while_it_is_packed_costs_nothing(tmp_path, monkeypatch, classifier, table, job, what):
    """At any step between the last window and the file's name, the next run has the file, and scores no text again."""
    made = _as_parquet(job(table(TEXTS)))
    expected = predict_csv(made, classifier=classifier)
    content = made.output_csv.read_bytes()
    made.output_csv.unlink()
    place = {
        "pack": (parquet.ParquetWriter, "write_table"),
        "unlink": (type(tmp_path), "unlink"),
        "replace": (type(tmp_path), "replace"),
    }[what]
    with PredictionRun(made, classifier) as run:
        while run.step():
            pass
        with monkeypatch.context() as patch:
            if what == "replace":  # the checkpoint is renamed too: let that be
                real = type(tmp_path).replace
                patch.setattr(*place, lambda path, to: _killed() if path.suffix == ".packed" else real(path, to))
            else:
                patch.setattr(*place, _killed)
            with pytest.raises(_KilledError):
                run.finish()
    scored = classifier.student.scored
    fresh = Classifier(classifier.student, classifier.extra, identity=classifier.identity)
    found = predict_csv(made, classifier=fresh)
    assert {**expected, "seconds": 0} == {**found, "seconds": 0}
    assert content == made.output_csv.read_bytes()
    assert scored == classifier.student.scored
    assert ["new.csv", "out.parquet"] == sorted(path.name for path in tmp_path.iterdir())


def test_names_that_come_twice_are_told_apart(tmp_path, classifier, job):
    """Two columns of one name, and one with the name of ours."""
    path = tmp_path / "new.csv"
    path.write_text("freeal_row,text,a,a\n7,good,1,2\n", encoding="utf-8")
    predict_csv(_as_parquet(job(path)), classifier=classifier)
    found = parquet.read_table(tmp_path / "out.parquet")
    names = ["freeal_row_2", "freeal_row", "text", "a", "a_2", "freeal_label"]
    assert names == found.column_names[:6]
    assert [0, "7", "good", "1", "2", "happy"] == [found.column(name)[0].as_py() for name in names]


def test_a_table_without_rows_is_a_file_without_rows(tmp_path, classifier, table, job):
    """With all its columns."""
    predict_csv(_as_parquet(job(table([]))), classifier=classifier)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert (0, 7) == (found.num_rows, found.num_columns)


def test_a_promise_leaves_labels_out(tmp_path, classifier, table, job):
    """Null where the model would be right less often, and the status says why."""
    labels = {name: {"threshold": threshold} for name, threshold in {"happy": 0.0, "angry": 1.1}.items()}
    classifier.extra["promise"] = {"scope": "each", "labels": labels}
    predict_csv(_as_parquet(job(table(["good", "bad", ""]))), classifier=classifier)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert ["happy", None, None] == found.column("freeal_label").to_pylist()
    assert ["ok", "below_promise", "empty_text"] == found.column("freeal_status").to_pylist()
    assert np.isfinite(found.column("freeal_confidence")[1].as_py())


def test_without_what_writes_it_nothing_is_begun(tmp_path, monkeypatch, classifier, table, job):
    """The error names the file and the extra to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"out\.parquet.*not installed.*\[parquet\]"):
        predict_csv(_as_parquet(job(table(TEXTS))), classifier=classifier)
    assert ["new.csv"] == [path.name for path in tmp_path.iterdir()]
