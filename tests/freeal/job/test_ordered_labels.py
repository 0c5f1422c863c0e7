"""`kind: ordinal`: labels in an order, from the spec through prompt, labels and figures to predictions."""

from __future__ import annotations

import csv
import json

import anyio
import numpy as np
import pytest

from freeal.files import model_folders
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.prediction_job import PredictionJob
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import student_metadata
from freeal.testing.server import MessagesServer

STARS = ("1", "2", "3", "4", "5")
WORDS = ("awful", "poor", "fair", "good", "superb")


def _spec(**more):
    return Spec(name="t", description="How many stars?", labels=list(STARS), llm={"provider": "anthropic"}, **more)


@pytest.fixture
def trained(tmp_path, encoder_folder):
    """A job on 50 texts whose annotator is a step too high on every fifth; gives its folder and the requests."""
    stars = [number % 5 for number in range(50)]
    rows = [(f"a {WORDS[star]} meal {number}", STARS[star]) for number, star in enumerate(stars)]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "truth"], *rows])

    def answer(text):
        _, word, _, number = text.split()
        star = WORDS.index(word)
        return STARS[min(4, star + (int(number) % 7 == 0))]

    spec = _spec(
        kind="ordinal", iterations=1, label_column="truth", student={"model": str(encoder_folder), "mode": "frozen"}
    )
    with MessagesServer(answer=answer) as server:
        job = TrainingJob(
            job_id="j", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / "out", work=tmp_path / "work",
            answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path, llm={"base_url": server.base_url},
        )  # fmt: skip
        anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
    return job.output


def test_the_figures_say_how_far_off(trained):
    """metrics.json counts steps for the final labels and for both models, as they stand in annotated.csv."""
    with (trained / "annotated.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    order = json.loads((trained / "metrics.json").read_text(encoding="utf-8"))["final"]["order"]
    for who, column in (("final", "freeal_label"), ("llm", "freeal_llm_label"), ("student", "freeal_student_label")):
        steps = np.mean([abs(int(row[column]) - int(row["truth"])) for row in rows])
        assert pytest.approx(steps, abs=1e-4) == order[who]["mean_distance"]
    assert 0 < order["llm"]["mean_distance"] < 0.2
    assert "The labels are in order, from 1 to 5" in json.loads((trained / "run.json").read_text())["first_prompt"]


def test_predictions_take_the_middle_of_what_may_be_true(trained, tmp_path):
    """Each predicted label is the median of its row's probabilities, and its confidence the probability of it."""
    model = model_folders.classifier_folder(trained)
    assert "ordinal" == student_metadata.read_card(model).extra["kind"]
    predict_csv(PredictionJob(input_csv=tmp_path / "in.csv", output_csv=tmp_path / "new.csv", model=model))
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        proba = [float(row[f"freeal_p_{star}"]) for star in STARS]
        reached = [star for star, share in zip(STARS, np.cumsum(proba), strict=True) if share >= 0.5 - 2e-4]
        assert row["freeal_label"] in reached[:2]
        assert row["freeal_confidence"] == row[f"freeal_p_{row['freeal_label']}"]


def test_a_spec_without_a_kind_keeps_its_key():
    """What was one label stays as it is: the usual kind is no part of the digest, another one is."""
    assert _spec().digest() == _spec(kind="single").digest() != _spec(kind="ordinal").digest()
