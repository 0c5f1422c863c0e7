"""A loaded model: texts and frames in, labels and probabilities out, the same as the command gives."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

import freeal
from freeal.errors import CorruptModelError, InputError
from freeal.prediction.published_model import Classifier
from freeal.testing.tiny_student import TinyStudent
from freeal.testing.weighed_labels import weighed


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder_folder):
    """A small classifier of two columns, trained on true labels."""
    from freeal.settings import StudentSettings
    from freeal.student.model_folder import student_metadata
    from freeal.student.trainer_factory import make_trainer

    texts = [f"title: a {'good' if row % 2 else 'bad'} one, body: number {row}" for row in range(40)]
    trainer = make_trainer(StudentSettings(model=str(encoder_folder), mode="frozen"), texts=len(texts))
    ids = [row % 2 for row in range(40)]
    training = trainer.fit(weighed(texts, ids), labels=("no", "yes"), seed=0, on_step=lambda done, total: None)
    place = tmp_path_factory.mktemp("model")
    training.student.save(place)
    student_metadata.add_extra(place, {"name": "t", "job": "j", "text_columns": ["title", "body"]})
    return place


def test_a_frame_gets_labels_and_probabilities_behind_its_columns(folder):
    """Index and columns stay, a row without text has no label, and the numbers are those of `predict`."""
    frame = pd.DataFrame(
        {"title": ["a good one", None, "a bad one"], "n": [1, 2, 3], "body": ["x", " ", "number 3"]}, index=[5, 6, 7]
    )
    found = freeal.load(folder).predict(frame)
    assert ["yes", None, "no"] == found.labels
    assert [*frame.columns, "freeal_label", "freeal_confidence", "freeal_p_no", "freeal_p_yes"] == list(
        found.frame.columns
    )
    assert [5, 6, 7] == list(found.frame.index)
    pd.testing.assert_frame_equal(frame, found.frame[["title", "n", "body"]])
    np.testing.assert_allclose([1.0, 1.0], found.probabilities[[0, 2]].sum(axis=1), atol=1e-6)
    assert np.isnan(found.probabilities[1]).all()
    assert found.confidence[0] == found.probabilities[0, 1]
    assert "freeal_label" in found._repr_html_()
    assert 3 == len(found)


def test_it_says_what_the_command_says(folder, tmp_path):
    """A frame and the file with the same rows get the same labels and, to four places, the same probabilities."""
    rows = [{"title": f"a {'good' if row % 3 else 'bad'} one", "body": f"number {row}"} for row in range(20)]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["title", "body"])
        writer.writeheader()
        writer.writerows(rows)
    freeal.predict_csv(freeal.PredictionJob(model=folder, input_csv=tmp_path / "in.csv", output_csv=tmp_path / "o.csv"))
    told = pd.read_csv(tmp_path / "o.csv")
    found = freeal.load(folder).predict(pd.DataFrame(rows)).frame
    assert list(told["freeal_label"]) == list(found["freeal_label"])
    np.testing.assert_allclose(told["freeal_p_yes"], found["freeal_p_yes"], atol=1e-4)


def test_texts_are_taken_in_the_form_they_were_trained_in(folder):
    """A list and a Series; the same text twice is computed once and answered twice."""
    model = freeal.load(folder)
    texts = ["title: a good one, body: number 1", "title: a bad one, body: number 2"] * 2
    assert ["yes", "no", "yes", "no"] == model.predict(texts).labels
    assert ["b"] == list(model.predict(pd.Series(texts[:1], index=["b"])).frame.index)
    assert ("no", "yes") == model.classes
    assert [] == model.predict([]).labels


def test_a_promise_is_kept(folder):
    """Where a model was promised to be right in some share, it says nothing below it."""
    student = freeal.load(folder).student
    told = {"text_columns": ["title", "body"], "promise": {"scope": "all", "labels": {"": {"threshold": 0.999999}}}}
    model = freeal.Model(Classifier(student, told))
    found = model.predict(["title: what, body: which"])
    assert [None] == found.labels
    assert found.confidence[0] > 0.5


def test_what_cannot_be_used_is_told(folder, tmp_path):
    """A missing column names the nearest one; no folder, and a folder without a model, say so."""
    with pytest.raises(InputError, match=r"the model names a column that is not there.*did you mean 'titel'"):
        freeal.load(folder).predict(pd.DataFrame({"titel": ["a"], "body": ["b"]}))
    with pytest.raises(CorruptModelError, match="is no folder"):
        freeal.load(tmp_path / "nowhere")
    with pytest.raises(CorruptModelError, match=r"is no model's folder: there is no freeal\.json in it"):
        freeal.load(tmp_path)


def test_a_student_of_another_kind_is_handed_over(tmp_path):
    """What is in the folder says which columns it reads; the student is the caller's."""
    from freeal.student.model_folder import student_metadata

    student = TinyStudent(("a", "b"), np.log([0.5, 0.5]), np.log(np.full((2, 256), 1 / 256)))
    student_metadata.write_own(tmp_path, labels=("a", "b"), model="mine")
    student_metadata.add_extra(tmp_path, {"text_columns": ["mail"]})
    with pytest.raises(freeal.FreealError, match="holds a student of another kind, mine"):
        freeal.load(tmp_path)
    model = freeal.load(tmp_path, student=student)
    np.testing.assert_allclose([[0.5, 0.5]], model.predict(pd.DataFrame({"mail": ["x"]})).probabilities)


def test_of_labels_in_an_order_the_nearest_to_all_is_given(tmp_path):
    """As with `predict`: the label with the least expected distance, and its own probability as confidence."""
    from freeal.student.model_folder import student_metadata

    prior = np.log([0.4, 0.15, 0.15, 0.3])
    student = TinyStudent(("1", "2", "3", "4"), prior, np.log(np.full((4, 256), 1 / 256)))
    student_metadata.write_own(tmp_path, labels=student.labels, model="mine")
    student_metadata.add_extra(tmp_path, {"text_columns": ["mail"], "kind": "ordinal"})
    found = freeal.load(tmp_path, student=student).predict(["x"])
    assert ["2"] == found.labels
    np.testing.assert_allclose([0.15], found.confidence, atol=1e-6)
