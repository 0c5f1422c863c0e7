"""A real student, for its folder travels, and a table for it."""

from __future__ import annotations

import csv

import pytest

from freeal.prediction.prediction_job import PredictionJob
from freeal.settings import PredictSettings, StudentSettings
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder import student_metadata


@pytest.fixture(scope="session")
def model(encoder_folder, tmp_path_factory):
    """A saved student that reads the columns title and body."""
    trainer = FrozenTrainer(StudentSettings(model=str(encoder_folder), device="cpu"))
    data = LabelledTexts(["good film", "bad film"] * 20, [1, 0] * 20)
    folder = tmp_path_factory.mktemp("model")
    trainer.fit(data, labels=("angry", "happy"), seed=0, on_step=lambda done, total: None).student.save(folder)
    student_metadata.add_extra(folder, {"name": "t", "job": "j1", "text_columns": ["title", "body"]})
    return folder


@pytest.fixture
def job(model, tmp_path):
    """Label a table of `rows` rows, some of them empty, in shards of 20 and windows of 7."""

    def make(rows=100, *, name="out.csv", **settings):
        path = tmp_path / "new.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "title", "body"])
            for number in range(rows):
                body = "" if number % 9 == 4 else f"{'good' if number % 2 else 'bad'} film {number % 13}"
                writer.writerow([number, "", body])
        chosen = PredictSettings(shard_rows=20, chunk_rows=7, batch_size=8, **settings)
        return PredictionJob(model=model, input_csv=path, output_csv=tmp_path / name, settings=chosen)

    return make
