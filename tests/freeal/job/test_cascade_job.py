"""A job with two language models behind a loopback server, from CSV to folder: provenance, cost, estimate."""

from __future__ import annotations

import csv
import json

import anyio
import pytest

from freeal.cost_estimate.job_estimate import estimate_job
from freeal.errors import ConfigError
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.results import metrics_as_text, previous_version
from freeal.spec.job_spec import Spec
from freeal.testing.server import MessagesServer

KEY = {"ANTHROPIC_API_KEY": "sk-ant-test"}
PRICES = {"cheap": {"input": 1.0, "output": 5.0}, "dear": {"input": 10.0, "output": 50.0}}
TEXTS = [f"a {'good' if n % 2 else 'bad'} thing {n}" for n in range(80)]


def _answer(text):
    """Right, but for every third text."""
    number = int(text.rsplit(" ", 1)[1]) if text.rsplit(" ", 1)[1].isdigit() else 1
    return ("yes" if "good" in text else "no") if number % 3 else ("no" if "good" in text else "yes")


@pytest.fixture
def job(tmp_path, encoder_folder):
    """Eighty rows with their truth; parts of the spec may be set."""

    def make(base_url=None, **spec):
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = ([text, "yes" if "good" in text else "no"] for text in TEXTS)
            csv.writer(stream).writerows([["text", "truth"], *rows])
        known = {
            "name": "t", "description": "Is it good?", "labels": ["yes", "no"], "label_column": "truth",
            "iterations": 1, "examples": [["a good one", "yes"], ["a bad one", "no"]],
            "student": {"model": str(encoder_folder), "mode": "frozen"},
            "llm": [{"provider": "anthropic", "model": "cheap"}, {"model": "dear"}],
        }  # fmt: skip
        return TrainingJob(
            job_id="j", csv=tmp_path / "in.csv", spec=Spec(**known | spec), output=tmp_path / "out",
            work=tmp_path / "work", answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
            llm={"provider": "anthropic", "base_url": base_url, "prices": PRICES},
        )  # fmt: skip

    return make


def _run(job, **spec):
    with MessagesServer(answer=_answer) as server:
        outcome = anyio.run(lambda: train(job(server.base_url, **spec), environ=KEY))
        models = [request.body["model"] for request in server.requests]
    return outcome, models


def _rows(outcome):
    with (outcome.folder / "annotated.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_cascade_says_who_said_what_at_what_cost(job):
    """Columns, audit, metrics and summary name each model; the money of both is the job's, within what was
    estimated."""
    told = anyio.run(lambda: estimate_job(job(), environ=KEY))
    outcome, models = _run(job)
    cheap, dear = outcome.metrics["annotators"]
    assert ("cascade", "cheap", "dear") == (outcome.metrics["llm_use"], cheap["model"], dear["model"])
    assert (80, models.count("dear")) == (cheap["answered"], dear["answered"])
    assert 50 <= dear["asked"] <= 80 == cheap["asked"]
    cost = outcome.metrics["cost"]
    assert cost["usd"] == pytest.approx(cheap["usd"] + dear["usd"], abs=2e-6)
    assert dear["usd"] / dear["asked"] == pytest.approx(10 * cheap["usd"] / cheap["asked"], rel=0.3)
    assert told.usd.low <= cost["usd"] <= told.usd.high
    assert [cheap["model"], dear["model"]] == [one.model for one in told.annotators]
    assert ("language models", "2, cascade: what is left open goes to the next") in told.figures()
    rows = _rows(outcome)
    assert all(row["freeal_llm_label_1"] for row in rows)
    assert models.count("dear") == sum(bool(row["freeal_llm_label_2"]) for row in rows)
    assert all(row["freeal_llm_label"] == (row["freeal_llm_label_2"] or row["freeal_llm_label_1"]) for row in rows)
    audit = [json.loads(line) for line in (outcome.folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {("cheap", 1): 80, ("dear", 2): models.count("dear")} == {
        key: sum((line["model"], line["round"]) == key for line in audit) for key in (("cheap", 1), ("dear", 2))
    }
    said = dict(metrics_as_text.metrics_in_words(outcome.metrics))
    assert said["language model 2 (dear)"].startswith(f"{dear['answered']} texts, {dear['usd']:.4f} USD")
    report = (outcome.folder / "report.html").read_text(encoding="utf-8")
    assert "Answers of the language models" in report


def test_the_same_job_again_costs_nothing(job):
    """All answers are stored, those of the second model too."""
    _run(job)
    (job().output / "metrics.json").unlink()
    outcome, models = _run(job, description="Is it good?")
    assert [] == models
    assert 80 == outcome.metrics["annotators"][0]["answered"]


def test_side_by_side_asks_each_about_everything(job):
    """Both answer all eighty rows, and the estimate knew."""
    told = anyio.run(lambda: estimate_job(job(llm_use="side_by_side"), environ=KEY))
    outcome, models = _run(job, llm_use="side_by_side")
    assert (80, 80) == (models.count("cheap"), models.count("dear"))
    assert told.usd.low <= outcome.metrics["cost"]["usd"] <= told.usd.high
    assert "side_by_side" == outcome.metrics["llm_use"]


def test_a_finished_cascade_can_be_read_again(job):
    """For corrections: its rows are the input's, without any column of ours."""
    outcome, _ = _run(job)
    earlier = previous_version.read_version(outcome.folder)
    assert ("text", "truth") == earlier.table.header
    assert [row["freeal_label"] or None for row in _rows(outcome)] == list(earlier.labels)


def test_one_cap_for_both(job):
    """It holds over both models' money, and the job ends with what it has: what all comes to is less than what the last
    calls may cost at most."""
    free, _ = _run(job)
    cap = free.metrics["cost"]["usd"]
    for name in ("answers.sqlite", "work", "out"):
        path = job().csv.parent / name
        path.rename(path.with_name(f"before-{name}"))
    outcome, models = _run(job, budget_usd=round(cap, 6))
    assert outcome.budget_reached
    assert outcome.metrics["cost"]["usd"] <= cap
    assert 0 < models.count("dear") < free.metrics["annotators"][1]["asked"]


def test_two_providers_over_a_network_are_refused(job):
    """A job has one key and one set of limits; the error says what to do, before anything is asked."""
    both = [{"provider": "anthropic", "model": "cheap"}, {"provider": "openai", "model": "dear"}]
    with pytest.raises(ConfigError, match="anthropic and openai") as caught:
        anyio.run(lambda: estimate_job(job(llm=both), environ=KEY))
    assert "gateway" in str(caught.value)
    with pytest.raises(ConfigError, match="anthropic and openai"):
        anyio.run(lambda: train(job("http://127.0.0.1:9", llm=both), environ=KEY | {"OPENAI_API_KEY": "k"}))
