"""What a job costs over all its runs, and what its cap leaves undone."""

from __future__ import annotations

import csv

import anyio
import pytest

from freeal.errors import AccountError
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.money.prices import KNOWN_PRICES, cost_usd
from freeal.spec.job_spec import Spec
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder
from freeal.types import Usage

PRICE = KNOWN_PRICES["claude-haiku-5-5"]
ROWS = 20


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny random encoder folder."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def run(tmp_path, encoder):
    """Run a job of twenty rows, one call at a time, in the same folders whatever its id; gives its outcome."""
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [[f"a {'good' if number % 2 else 'bad'} thing {number}"] for number in range(ROWS)]
        csv.writer(stream).writerows([["text"], *rows])

    def running(server, *, job_id="j", budget_usd=None):
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=["yes", "no"],
            examples=[["a fine one", "yes"], ["a poor one", "no"]],
            iterations=1,
            budget_usd=budget_usd,
            student={"model": str(encoder), "mode": "frozen"},
            llm={"provider": "anthropic", "concurrency": 1},
        )
        job = TrainingJob(
            job_id=job_id, csv=tmp_path / "in.csv", spec=spec, output=tmp_path / job_id / "out",
            work=tmp_path / job_id / "work", answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
            llm={"base_url": server.base_url},
        )  # fmt: skip
        return anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))

    return running


def _server(**options):
    return MessagesServer(answer=lambda text: "yes" if "good" in text else "no", **options)


def test_the_cost_of_a_resumed_job_is_that_of_all_its_runs(run):
    """The key is refused after twelve answers; the next run pays for the rest and counts both."""
    with _server(faults=[None] * 12 + ["401"]) as server:
        with pytest.raises(AccountError):
            run(server)
        outcome = run(server)
        cost = outcome.metrics["cost"]
        assert ROWS + 1 == len(server.requests)
        assert (ROWS, server.billed.input_tokens) == (cost["calls"], cost["input_tokens"])
        assert pytest.approx(cost_usd(server.billed, PRICE), abs=1e-6) == cost["usd"]


def test_a_raised_cap_pays_only_for_what_is_left(run):
    """Rows beyond the cap say so, the bill stays below it, and with a higher one no row is asked twice."""
    cap_usd = 0.0006 + 8 * cost_usd(Usage(1, 190, 0, 9), PRICE)
    with _server() as server:
        stopped = run(server, budget_usd=cap_usd)
        first = len(server.requests)
        assert stopped.budget_reached
        assert 0 < first < ROWS
        assert cost_usd(server.billed, PRICE) <= cap_usd
        again = run(server, budget_usd=cap_usd)
        assert (first, True) == (len(server.requests), again.budget_reached)
        done = run(server, budget_usd=1.0)
        assert (ROWS, False) == (len(server.requests), done.budget_reached)
        assert ROWS == done.metrics["cost"]["calls"]


def test_the_same_job_under_another_id_asks_nothing(run):
    """Its cost is nothing: every answer was paid for by the first."""
    with _server() as server:
        run(server)
        other = run(server, job_id="other")
        assert ROWS == len(server.requests)
        assert (0, 0.0) == (other.metrics["cost"]["calls"], other.metrics["cost"]["usd"])
