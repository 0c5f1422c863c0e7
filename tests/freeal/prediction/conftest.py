"""A tiny student, tables for it, and runs that can be cut off."""

from __future__ import annotations

import csv

import pytest

from freeal.prediction.prediction_job import PredictionJob
from freeal.prediction.published_model import Classifier
from freeal.settings import PredictSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.tiny_student import TinyTrainer


class Counting:
    """A student that counts the texts it scores."""

    def __init__(self, student):
        self._student = student
        self.scored = 0

    def __getattr__(self, name):
        return getattr(self._student, name)

    def score(self, texts):
        self.scored += len(texts)
        return self._student.score(texts)


@pytest.fixture
def classifier():
    """Tells good from bad; reads the column `text`; its `student.scored` counts forward passes."""
    data = LabelledTexts(["good good", "bad bad"], [1, 0])
    training = TinyTrainer().fit(data, labels=("angry", "happy"), seed=0, on_step=lambda done, total: None)
    return Classifier(Counting(training.student), {"name": "t", "job": "j1", "text_columns": ["text"]}, identity="m1")


@pytest.fixture
def table(tmp_path):
    """Write a CSV of texts; its path."""

    def write(texts, name="new.csv"):
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["id", "text"], *enumerate(texts)])
        return path

    return write


@pytest.fixture
def job(tmp_path):
    """A job for a CSV, in small windows."""

    def make(path, *, chunk_rows=4, **fields):
        settings = PredictSettings(chunk_rows=chunk_rows)
        return PredictionJob(
            model=tmp_path, input_csv=path, output_csv=tmp_path / "out.csv", settings=settings, **fields
        )

    return make
