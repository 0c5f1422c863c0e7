"""What a model cost altogether, over runs that end, are cut off, fail and are done again."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil

import anyio
import pytest

from freeal.errors import AccountError
from freeal.job import work_folder
from freeal.job.new_version.correction_job import CorrectionJob, correct
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.llm.store.answer_store import SqliteStore
from freeal.money.prices import KNOWN_PRICES, cost_usd
from freeal.spec.job_spec import Spec
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

PRICE = KNOWN_PRICES["claude-haiku-5-5"]
ROWS, MORE = 20, 26


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny random encoder folder."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def job(tmp_path, encoder):
    """A job into one folder, by its id, its number of rows and the task's description."""

    def made(server, *, job_id="j", rows=ROWS, description="Is it good?"):
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            texts = [[f"a {'good' if number % 2 else 'bad'} thing {number}"] for number in range(rows)]
            csv.writer(stream).writerows([["text"], *texts])
        spec = Spec(
            name="t",
            description=description,
            labels=["yes", "no"],
            examples=[["a fine one", "yes"], ["a poor one", "no"]],
            iterations=1,
            student={"model": str(encoder), "mode": "frozen"},
            llm={"provider": "anthropic", "concurrency": 1},
        )
        return TrainingJob(
            job_id=job_id, billed_to="m", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / "out",
            work=tmp_path / "out" / ".work", answers=tmp_path / "answers.sqlite", cache=tmp_path,
            key_folder=tmp_path, llm={"base_url": server.base_url},
        )  # fmt: skip

    return made


@pytest.fixture
def server():
    """Answers every question."""
    with _server() as running:
        yield running


def _server(**options):
    return MessagesServer(answer=lambda text: "yes" if "good" in text else "no", **options)


def _train(job):
    return anyio.run(lambda: train(job, api_key="sk-ant-test", environ={})).metrics


def _told(metrics):
    """Calls and dollars of the run, and of the model."""
    return [(metrics[key]["calls"], metrics[key]["usd"]) for key in ("cost", "model_cost")]


def _billed(server):
    return (server.billed.calls, pytest.approx(cost_usd(server.billed, PRICE), abs=1e-5))


def test_a_second_run_tells_what_it_cost_and_what_the_model_did(job, server, tmp_path):
    """More rows into the same folder: the run's own bill is of the new ones, the model's of all, in cost.json too."""
    first = job(server)
    once = _train(first)
    work_folder.close_work_folder(first)
    assert [_billed(server)] * 2 == _told(once)
    second = job(server, rows=MORE)
    again = _train(second)
    work_folder.close_work_folder(second)
    own, model = _told(again)
    assert (MORE - ROWS, _billed(server)) == (own[0], model)
    assert [once["cost"]["usd"], again["cost"]["usd"]] == [one["usd"] for one in again["model_cost"]["bills"]]
    assert again["cost"] | {"model_cost": again["model_cost"]} == json.loads((tmp_path / "out/cost.json").read_text())


@pytest.mark.parametrize("killed", ["before it is closed", "with the work gone", "with the bill gone"])
def test_a_run_killed_while_it_closes_is_counted_once(job, server, killed):
    """Whatever of its closing was done, the same run again and one with more rows add up to what was billed."""
    first = job(server)
    _train(first)
    if killed != "before it is closed":
        shutil.rmtree(first.work)
    if killed == "with the bill gone":
        with contextlib.closing(SqliteStore(first.answers, job=first.job_id)) as store:
            store.forget_bill()
    for again in (first, job(server, rows=MORE)):
        _, model = _told(_train(again))
        work_folder.close_work_folder(again)
        assert _billed(server) == model


def test_runs_that_failed_count_in_the_model_they_were_for(job, server):
    """Cut off by the provider after a dozen answers, then another task: the dozen is in the model's bill alone."""
    with _server(faults=[None] * 12 + ["401"]) as failing, pytest.raises(AccountError):
        _train(job(failing, job_id="failed"))
    own, model = _told(_train(job(server, description="Is it any good?")))
    billed_usd = sum(cost_usd(one.billed, PRICE) for one in (failing, server))
    together = (ROWS + failing.billed.calls, pytest.approx(billed_usd, abs=1e-5))
    assert (_billed(server), together) == (own, model)


def test_a_version_carries_the_bills_of_the_one_before(job, server, tmp_path):
    """Corrected without a question, and without the answer store: the run cost nothing, the model what it did."""
    first = job(server)
    once = _train(first)
    work_folder.close_work_folder(first)
    (tmp_path / "answers.sqlite").unlink()
    (tmp_path / "corrected.csv").write_text("text,freeal_corrected\na good thing 1,no\n")
    told = anyio.run(lambda: correct(CorrectionJob(
        job_id="c", billed_to="m", version=tmp_path / "out", csv=tmp_path / "corrected.csv", output=tmp_path / "better",
        work=tmp_path / "work", answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
        student={"model": first.spec.student.model, "mode": "frozen"},
    ))).metrics  # fmt: skip
    assert [(0, 0.0), (once["cost"]["calls"], once["cost"]["usd"])] == _told(told)


def test_a_version_from_before_there_were_bills_counts_with_its_own(job, server, tmp_path):
    """Its metrics.json tells what its last run cost: that is part of the model's cost."""
    first = job(server)
    once = _train(first)
    work_folder.close_work_folder(first)
    del once["model_cost"]
    (tmp_path / "out" / "metrics.json").write_text(json.dumps(once))
    _, model = _told(_train(job(server, rows=MORE)))
    assert _billed(server) == model
