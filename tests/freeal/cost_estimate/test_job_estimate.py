"""freeal/cost_estimate/job_estimate.py: what is foretold is what happens, and telling it leaves no trace."""

from __future__ import annotations

import csv

import anyio
import pytest

from freeal.cost_estimate.estimate_figures import Estimate
from freeal.cost_estimate.job_estimate import estimate_job, estimate_job_with
from freeal.cost_estimate.token_count_range import Span
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.settings import LlmSettings
from freeal.spec.job_spec import Spec
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

KEY = {"ANTHROPIC_API_KEY": "sk-ant-test"}
EXAMPLES = [["a good one", "yes"], ["a bad one", "no"]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny random encoder folder."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(autouse=True)
def _no_others(monkeypatch):
    """What others do with the cores changes from one look to the next."""
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))


@pytest.fixture
def job(tmp_path, encoder):
    """Forty rows, one of them twice and one empty, one round; `llm` and parts of the spec may be set."""

    def make(*, llm=None, texts=None, **spec):
        texts = texts or [*(f"a {'good' if n % 2 else 'bad'} thing {n}" for n in range(38)), "a good thing 1", ""]
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["text", "note"], *([text, "x"] for text in texts)])
        known = {
            "name": "t",
            "description": "Is it good?",
            "labels": ["yes", "no"],
            "iterations": 1,
            "text_columns": ["text"],
        }
        student = {"model": str(encoder), "mode": "frozen"}
        return TrainingJob(
            job_id="j", csv=tmp_path / "in.csv", spec=Spec(**known | spec), output=tmp_path / "out",
            work=tmp_path / "work", answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
            llm={"provider": "anthropic"} | (llm or {}), student=student,
        )  # fmt: skip

    return make


def _told(job, environ=KEY) -> Estimate:
    return anyio.run(lambda: estimate_job(job, environ=environ))


def _run(job):
    with MessagesServer(answer=lambda text: "yes" if "good" in text else "no") as server:
        settings = LlmSettings(provider="anthropic", base_url=server.base_url)
        running = job.model_copy(update={"llm": settings})
        outcome = anyio.run(lambda: train(running, environ=KEY))
        return outcome.metrics["cost"], server


def test_a_round_costs_what_was_foretold(job):
    """Calls exactly, tokens and money between low and high; afterwards all answers are stored and nothing is asked."""
    before = _told(job(examples=EXAMPLES))
    cost, server = _run(job(examples=EXAMPLES))
    assert (38, 38, 0) == (cost["calls"], round(before.calls.low), before.stored)
    assert before.input_tokens.low <= cost["input_tokens"] <= before.input_tokens.high
    assert before.output_tokens.low <= cost["output_tokens"] <= before.output_tokens.high
    assert before.usd.low <= cost["usd"] <= before.usd.high
    after = _told(job(examples=EXAMPLES))
    assert (38, 0, 0.0) == (after.stored, round(after.calls.low), after.usd.low)
    asked = server.requests[0].body
    assert before.first_prompt.startswith(asked["system"][0]["text"])


def test_demonstrations_that_are_yet_to_be_written_are_stood_in_for(job):
    """One call per label more, the prompt shows texts of the file for them; once written, the real ones are known."""
    before = _told(job())
    assert (40, True) == (round(before.calls.low), before.stands_in)
    _run(job())
    after = _told(job())
    assert (40, False) == (after.stored, after.stands_in)


def test_nothing_is_written_and_no_key_is_needed(job, tmp_path):
    """The process that estimates for the service has no key and leaves no file."""
    told = job()
    files = sorted(tmp_path.iterdir())
    found = anyio.run(lambda: estimate_job_with(told, providers=("anthropic",)))
    assert found == _told(told, environ={})
    assert ("anthropic", "claude-haiku-5-5") == (found.provider, found.model)
    assert files == sorted(tmp_path.iterdir())


def test_a_cap_that_is_too_small_and_a_changed_demonstration_show(job):
    """The cap stands beside the cost; another demonstration makes every prompt another question."""
    _run(job(examples=EXAMPLES))
    found = _told(job(examples=[["a fine one", "yes"], EXAMPLES[1]], budget_usd=0.5))
    assert (0, 38) == (found.stored, round(found.calls.low))
    assert any("at most 0.50 USD" in value for _, value in found.figures())


def test_auto_without_a_key_is_the_local_model_and_costs_nothing(job):
    """Rows and time only: no tokens, no money."""
    found = _told(job(llm={"provider": "auto"}), environ={})
    assert ("local", Span(), Span()) == (found.provider, found.usd, found.input_tokens)
    assert (152, 152) == (round(found.calls.low), round(found.calls.high))
    assert 0 < found.seconds.low < found.seconds.high
    assert {"texts", "annotated by", "answers", "cost", "time"} < {what for what, _ in found.figures()}


def test_a_trial_of_forms_is_foreseen_where_there_is_one(job):
    """Two more forms on each of 60 texts; none where sentiment is asked, and the prompt is in its form."""
    texts = [f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(60)]
    tried, sure = (
        _told(job(llm={"provider": "auto"}, texts=texts, labels=labels), environ={})
        for labels in (["yes", "no"], ["positive", "negative"])
    )
    assert (360, 240) == (round(tried.calls.high), round(sure.calls.high))
    assert tried.first_prompt.endswith("\nOutput:")
    assert sure.first_prompt.endswith("\nSentiment:")


def test_more_rounds_and_a_set_rate_take_longer(job):
    """Later rounds add a share from low to high; a rate that is set is a floor for the time."""
    once, thrice = _told(job(examples=EXAMPLES)), _told(job(examples=EXAMPLES, iterations=3))
    assert once.calls.low < thrice.calls.low < thrice.calls.high
    assert thrice.seconds.high > once.seconds.high


def test_a_batch_is_half_the_price(job):
    """With `mode: batch` all of it; with `auto` from the set number of rows on, less certain for later rounds."""
    live, batch = (_told(job(examples=EXAMPLES, llm={"mode": mode})) for mode in ("live", "batch"))
    assert pytest.approx(live.usd.low / 2) == batch.usd.low
    assert pytest.approx(live.usd.high / 2) == batch.usd.high
    auto = _told(job(examples=EXAMPLES, iterations=2, llm={"mode": "auto", "batch_from_rows": 30}))
    alive = _told(job(examples=EXAMPLES, iterations=2, llm={"mode": "live"}))
    assert pytest.approx(alive.usd.low / 2) == auto.usd.low
    assert alive.usd.high / 2 < auto.usd.high < alive.usd.high


def test_a_model_without_a_price_says_which_key_is_missing(job):
    """Unknown is not free."""
    found = _told(job(examples=EXAMPLES, llm={"model": "claude-unheard-of"}))
    assert found.usd is None
    assert any("llm.prices" in value for what, value in found.figures() if what == "cost")


@pytest.mark.parametrize("price", [{"input": 0.0, "output": 0.0, "cached_input": 0.0}])
def test_a_free_server_is_asked_with_several_sets(job, price):
    """As the loop does where asking costs nothing: once without demonstrations and with up to three sets of them."""
    prices = {"own": price}
    llm = {"provider": "openai", "model": "own", "base_url": "http://127.0.0.1:1/v1", "prices": prices}
    found = _told(job(examples=EXAMPLES, llm=llm), environ={})
    assert (0.0, True) == (found.usd.high, found.calls.low > 38)


def test_the_time_counts_training(job):
    """Every round trains, so more rounds take longer at most; what is told is the sum of both parts."""
    once, thrice = (_told(job(iterations=rounds)) for rounds in (1, 3))
    assert once.training_seconds.low == thrice.training_seconds.low
    assert once.training_seconds.high < thrice.training_seconds.high
    told = dict(thrice.figures())["time"]
    assert "training" in told
    assert "answers" in told


def test_the_time_counts_a_choice_among_students(job):
    """Comparing takes its time once, and nobody knows yet whose trainings follow."""
    alone, several = (_told(job(student={"model": model})) for model in ("minilm", ["minilm", "tfidf", "a/larger-one"]))
    assert alone.training_seconds.low < several.training_seconds.low
    assert alone.training_seconds.high < several.training_seconds.high
