"""A training job from CSV to folder, and what it takes from an earlier run in the same work folder."""

from __future__ import annotations

import csv
import shutil

import anyio
import pytest

from freeal.job import TrainingJob, train
from freeal.spec import Spec
from freeal.testing.encoder import tiny_encoder
from freeal.testing.server import MessagesServer


@pytest.fixture
def run(tmp_path):
    """Run a job on texts, always in the same work folder; gives its annotated rows and how often was asked."""
    (tmp_path / "encoder").mkdir()
    encoder = tiny_encoder(tmp_path / "encoder")

    def running(texts):
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["text"], *([text] for text in texts)])
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=["yes", "no"],
            iterations=1,
            student={"model": str(encoder), "mode": "frozen"},
            llm={"provider": "anthropic"},
        )
        with MessagesServer(answer=lambda text: "yes" if "good" in text else "no") as server:
            job = TrainingJob(
                job_id="j", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / "out", work=tmp_path / "work",
                answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
                llm={"base_url": server.base_url},
            )  # fmt: skip
            shutil.rmtree(job.output, ignore_errors=True)
            anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
            asked = len(server.requests)
        with (job.output / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream)), asked

    return running


def test_a_mended_csv_does_not_get_the_labels_of_the_one_before(run):
    """The work folder's finished round belongs to other texts: every row gets the answer to its own."""
    run([f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(12)])
    rows, asked = run([f"a {'bad' if number % 2 else 'good'} thing {number}" for number in range(12)])
    assert asked > 0
    assert [("yes" if "good" in row["text"] else "no") for row in rows] == [row["freeal_llm_label"] for row in rows]


def test_the_same_job_again_asks_nothing(run):
    """A finished round of the same question is taken as it is."""
    texts = [f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(12)]
    first, _ = run(texts)
    again, asked = run(texts)
    assert (first, 0) == (again, asked)
