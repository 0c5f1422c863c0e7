"""`label_use`: true labels of the table that teach, over a language model that is often wrong."""

from __future__ import annotations

import csv
import json

import anyio
import pytest

from freeal.events import Notice
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.spec.job_spec import Spec
from freeal.testing.server import MessagesServer


@pytest.fixture
def run(tmp_path, encoder_folder):
    """Run a job on 40 texts of which 24 have a true label; gives annotated rows, metrics, notices and requests."""

    def running(use):
        kinds = ["good" if number % 2 else "bad" for number in range(40)]
        rows = [
            (f"a {kind} thing {number}", "" if number >= 24 else "yes" if kind == "good" else "no")
            for number, kind in enumerate(kinds)
        ]
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["text", "truth"], *rows])
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=["yes", "no"],
            iterations=1,
            label_column="truth",
            label_use=use,
            student={"model": str(encoder_folder), "mode": "frozen"},
            llm={"provider": "anthropic"},
        )
        told = []
        with MessagesServer(answer=lambda text: "no") as server:
            job = TrainingJob(
                job_id="j", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / f"out-{use}",
                work=tmp_path / f"work-{use}", answers=tmp_path / "answers.sqlite", cache=tmp_path,
                key_folder=tmp_path, llm={"base_url": server.base_url},
            )  # fmt: skip
            anyio.run(lambda: train(job, emit=told.append, api_key="sk-ant-test", environ={}))
        with (job.output / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            annotated = list(csv.DictReader(stream))
        metrics = json.loads((job.output / "metrics.json").read_text(encoding="utf-8"))
        shown = json.loads((job.output / "demonstrations_round_1.json").read_text(encoding="utf-8"))
        return annotated, metrics, [one.message for one in told if isinstance(one, Notice)], shown

    return running


def test_what_is_taught_keeps_its_label_and_shows_the_way(run):
    """With `teach` every given label is final although the model says otherwise, and the given texts are the
    demonstrations; no accuracy is shown, because nothing is left to measure it with."""
    annotated, metrics, notices, shown = run("teach")
    assert ["no", "yes"] * 12 == [row["freeal_label"] for row in annotated[:24]]
    assert {"corrected"} == {row["freeal_status"] for row in annotated[:24]}
    assert 16 == metrics["rounds"][0]["asked"]
    assert "accuracy" not in metrics["final"]
    assert any("24 texts teach" in notice and "no accuracy" in notice for notice in notices)
    assert {"given"} == {demo["origin"] for demo in shown}


def test_a_split_measures_on_what_was_not_taught(run):
    """Half teach, the accuracy is that of the other half, and taught rows are in no figure."""
    annotated, metrics, _, _ = run("split")
    taught = [row["freeal_status"] == "corrected" for row in annotated]
    assert (12, 12) == (sum(taught[:24]), metrics["final"]["evaluated_rows"])
    judged = [row for row, is_taught in zip(annotated[:24], taught[:24], strict=True) if not is_taught]
    right = sum(row["freeal_label"] == row["truth"] for row in judged) / 12
    assert pytest.approx(right, abs=1e-4) == metrics["final"]["accuracy"]


def test_evaluate_never_shows_a_label(run):
    """The default asks about every text, and learns nothing of the truth."""
    annotated, metrics, _, shown = run("evaluate")
    assert (40, 24) == (metrics["rounds"][0]["asked"], metrics["final"]["evaluated_rows"])
    assert {"no"} == {row["freeal_llm_label"] for row in annotated}
    assert "given" not in {demo["origin"] for demo in shown}
