"""Figures for a large table from two small ones."""

from __future__ import annotations

import dataclasses

import pytest

from freeal.cost_estimate.estimate_figures import Estimate
from freeal.cost_estimate.measured_job import STEPS, Measured
from freeal.cost_estimate.scale_plan import STREAMED, Line, Rates, Wanted, plan_stages
from freeal.cost_estimate.token_count_range import NOTHING, Span
from freeal.settings import LlmSettings

KINDS = ("answers", "rounds", "output", "shards", "results", "predictions")
SAMPLE = Estimate(
    provider="anthropic",
    model="m",
    rows=1_000,
    distinct_rows=900,
    text_columns=("text",),
    known_labels=0,
    stored=0,
    calls=Span(900, 1_500),
    input_tokens=Span(90_000, 300_000),
    output_tokens=Span(9_000, 30_000),
    usd=Span(1.0, 2.0),
    price_source="prices of today",
    seconds=Span(60, 120),
    training_seconds=NOTHING,
    budget_usd=None,
    stands_in=False,
    first_prompt="",
)


def _measured(rows):
    """Two seconds for what is not streamed, a gigabyte and a thousand bytes of each kind of file to begin with; a
    hundredth of a second and 100 bytes of disk a row."""
    return Measured(
        rows,
        {step: (0.0 if step in STREAMED else 2.0) + rows / 100 for step in STEPS},
        dict.fromkeys(STEPS, 1_000_000_000),
        dict.fromkeys(KINDS, 1_000 + 100 * rows),
    )


@pytest.fixture
def rates():
    """A machine of straight lines."""
    return Rates.of(_measured(500), _measured(1_500))


def test_a_line_goes_through_both_points():
    """What it says of the two sizes is what was measured there."""
    line = Line.through([(10, 3.0), (30, 7.0)])
    assert (3.0, 7.0, 21.0) == pytest.approx((line.at(10), line.at(30), line.at(100)))


def test_noise_makes_no_stage_faster_with_more_rows():
    """Where the larger job took less, the stage costs what it cost, whatever the rows."""
    assert 3.0 == pytest.approx(Line.through([(10, 3.0), (30, 2.0)]).at(1_000_000))


def test_what_grows_in_a_line_is_foretold(rates):
    """The forecast of a size in between, and of one far beyond, is what such a machine takes."""
    for rows in (1_000, 20_000):
        expected = _measured(rows).seconds
        assert sum(expected.values()) == pytest.approx(rates.job_seconds(rows) + rates.prediction_seconds(rows))


def test_the_language_model_counts_the_rows_it_is_given(rates):
    """Calls and dollars grow with the annotated rows alone; the student takes the others."""
    found = {stage.name: stage for stage in plan_stages(Wanted(1_000_000, 10_000, 1), rates, SAMPLE, LlmSettings())}
    asked = found["annotate (anthropic, m)"]
    assert (Span(9_000, 15_000), Span(10.0, 20.0)) == (asked.calls, asked.usd)
    assert 1_000_000 == found["predict, 1 workers"].rows
    assert 10_000 == found["read the training table"].rows


def test_a_limit_sets_the_pace(rates):
    """A hundred thousand answers at a thousand requests a minute take a hundred minutes at least."""
    sample = dataclasses.replace(SAMPLE, calls=Span(1_000, 1_000))
    found = plan_stages(Wanted(100_000, 100_000, 1), rates, sample, LlmSettings(requests_per_minute=10, mode="live"))
    assert found[1].seconds.low >= 100_000 / 10 * 60


def test_a_batch_takes_what_batches_take(rates):
    """Fifty thousand requests are within the same day as a thousand."""
    few, many = (
        plan_stages(Wanted(rows, rows, 1), rates, SAMPLE, LlmSettings(mode="batch"))[1] for rows in (10, 50_000)
    )
    assert 86_400 <= few.seconds.high < many.seconds.high < 90_000


def test_memory_of_a_training_job_grows_by_what_is_stated(rates):
    """Four kilobytes a row beyond what a small one takes."""
    few, many = (plan_stages(Wanted(rows, rows, 1), rates, SAMPLE, LlmSettings())[2] for rows in (1_000, 2_000))
    assert 4_000_000 == many.memory_bytes - few.memory_bytes


def test_workers_share_prediction_and_nothing_else(rates):
    """Ten of them take a tenth of the time for that stage; cutting and joining are one process's."""
    one, ten = (
        {
            stage.name.split(",")[0]: stage
            for stage in plan_stages(Wanted(10**8, 1_000, count), rates, SAMPLE, LlmSettings())
        }
        for count in (1, 10)
    )
    assert one["predict"].seconds.low == pytest.approx(10 * ten["predict"].seconds.low)
    for name in ("cut into shards", "join into one file", "read the training table"):
        assert one[name] == ten[name]


def test_prediction_needs_no_more_memory_for_more_rows(rates):
    """Its memory is what it is for the first row."""
    few, many = (plan_stages(Wanted(rows, 1_000, 1), rates, SAMPLE, LlmSettings())[-1] for rows in (10**4, 10**8))
    assert few.memory_bytes == many.memory_bytes


def test_a_table_that_is_annotated_whole_is_not_predicted(rates):
    """Three stages, no shards."""
    assert 3 == len(plan_stages(Wanted(1_000, 1_000, 1), rates, SAMPLE, LlmSettings()))
