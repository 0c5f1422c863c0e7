"""Labelling a CSV with a finished student."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from freeal.errors import InputError
from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
from freeal.settings import PredictSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.tiny_student import TinyTrainer


@pytest.fixture
def classifier():
    """A tiny student that tells good from bad, trained on columns title and body."""
    training = TinyTrainer().fit(
        LabelledTexts(["body: good good", "body: bad bad"], [1, 0]),
        labels=("angry", "happy"),
        seed=0,
        on_step=lambda done, total: None,
    )
    return Classifier(training.student, {"name": "t", "job": "j1", "text_columns": ["title", "body"]})


def _predict(tmp_path, content, classifier, **keys):
    path = tmp_path / "new.csv"
    path.write_text(content, encoding="utf-8")
    job = PredictionJob(model=tmp_path, input_csv=path, output_csv=tmp_path / "out.csv", **keys)
    summary = predict_csv(job, classifier=classifier)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        return summary, list(csv.DictReader(stream, delimiter=keys.get("delimiter", ",")))


def test_rows_come_back_in_order_with_label_and_probabilities(tmp_path, classifier):
    """Each row keeps its cells and gains a label, its confidence and one probability per label that sum to one."""
    _, rows = _predict(tmp_path, "id,title,body\n01,,good\n02,,bad\n", classifier)
    assert [("01", "happy"), ("02", "angry")] == [(row["id"], row["freeal_label"]) for row in rows]
    for row in rows:
        assert pytest.approx(1.0, abs=2e-4) == float(row["freeal_p_angry"]) + float(row["freeal_p_happy"])
        assert row["freeal_confidence"] == max(row["freeal_p_angry"], row["freeal_p_happy"])


def test_a_row_without_text_keeps_its_place_without_a_label(tmp_path, classifier):
    """Nothing is guessed for an empty row, and the rows around it stay beside their own answers."""
    summary, rows = _predict(tmp_path, "title,body\n,good\n,\n,bad\n", classifier)
    assert ["happy", "", "angry"] == [row["freeal_label"] for row in rows]
    assert (3, 1, {"angry": 1, "happy": 1}) == (summary["rows"], summary["empty_text"], summary["label_counts"])


def test_chunks_change_nothing(tmp_path, classifier):
    """Read and written one row at a time, the output is the same as at once."""
    content = "title,body\n" + "".join(f",{'good' if n % 3 else 'bad'} {n}\n" for n in range(10))
    at_once = _predict(tmp_path, content, classifier)[1]
    assert at_once == _predict(tmp_path, content, classifier, settings=PredictSettings(chunk_rows=1))[1]


def test_a_missing_text_column_leaves_no_output(tmp_path, classifier):
    """The error names the nearest column, and no half-written file is there."""
    with pytest.raises(InputError, match=r"column 'body': the model names a column that is not there .*'boddy'"):
        _predict(tmp_path, "title,boddy\na,b\n", classifier)
    assert ["new.csv"] == [path.name for path in tmp_path.iterdir()]


def test_a_ragged_row_in_the_last_chunk_leaves_no_output(tmp_path, classifier):
    """The output is complete or absent, even when the damage comes late."""
    with pytest.raises(InputError, match="line 3"):
        _predict(tmp_path, "title,body\n,good\n,bad,odd\n", classifier, settings=PredictSettings(chunk_rows=1))
    assert ["new.csv"] == [path.name for path in tmp_path.iterdir()]


def test_scores_are_those_of_the_student(tmp_path, classifier):
    """What stands in the file is what the student said, to four digits."""
    _, rows = _predict(tmp_path, "title,body\n,good\n", classifier)
    expected = classifier.student.predict_proba(["body: good"])[0]
    found = [float(rows[0]["freeal_p_angry"]), float(rows[0]["freeal_p_happy"])]
    np.testing.assert_allclose(expected, found, atol=1e-4)
