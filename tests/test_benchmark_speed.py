"""The harness of the benchmark of speed: what it takes for a ratio, how growth is fitted, what the tables show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "shared"))  # scripts: their folder is their path
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "speed"))

import speed_growth
import speed_jobs
import speed_language_model
import speed_scoring
import speed_synthetic_run
import speed_timing
import speed_training
from speed_timing import Seconds, Way


def _way(*processor, results=()):
    return Way([Seconds(one, 2 * one) for one in processor], list(results))


def test_ways_are_run_in_turn_and_compared_run_by_run():
    """Each run meets the same machine: a ratio is the median of the runs' own."""
    order = []
    ways = {name: lambda run, name=name: order.append((name, run)) for name in ("a", "b")}
    assert [3, 3] == [len(way.seconds) for way in speed_timing.in_turn(ways, range(3)).values()]
    assert [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)] == order
    assert 2.0 == speed_timing.ratio(_way(2, 20, 6), _way(1, 10, 2))


@pytest.mark.parametrize(("power", "seconds"), [(1.0, [1.0, 10.0, 100.0]), (2.0, [1.0, 100.0, 10_000.0])])
def test_the_exponent_is_the_power_that_growth_follows(power, seconds):
    """Ten times the seconds for ten times the rows is 1, a hundred times is 2."""
    assert power == pytest.approx(speed_growth.exponent([1_000, 10_000, 100_000], seconds))


def test_growth_is_fitted_where_there_is_something_to_measure():
    """Milliseconds of the smallest size are start-up, not growth; the share is that of the largest."""
    found = [speed_growth.Measured("pool", rows, s, 7.0) for rows, s in ((100, 0.001), (1_000, 0.1), (10_000, 1.0))]
    assert "| pool | 0.001 | 0.100 | 1.000 | 1.00 | 0.05 % | 7 |" == speed_growth.table(found).splitlines()[-1]


def test_every_stage_runs_on_a_made_up_round(tmp_path):
    """The stages are called as a job calls them."""
    names = []
    for stage, work in speed_growth._stages(200, tmp_path):
        work()
        names.append(stage)
    assert len(set(names)) == len(names)
    assert {"pool", "near duplicates", "round saved", "round loaded", "answers.json read", "report"} <= set(names)
    assert (tmp_path / "predicted.csv").exists()


def test_a_made_up_table_has_near_duplicates(tmp_path):
    """One text in ten is the one before it with a word changed."""
    speed_synthetic_run.write_csv(tmp_path / "in.csv", 20)
    lines = (tmp_path / "in.csv").read_text().splitlines()[1:]
    assert lines[8].split(",")[1].split()[:-1] == lines[9].split(",")[1].split()[:-1]


def test_training_is_shown_beside_the_trainer():
    """Rows and epochs by processor seconds, how many times the Trainer, accuracies over seeds."""
    found = {
        speed_training.TRAINER: _way(10.0, 10.0, results=[0.7, 0.8]),
        speed_training.PLAIN: _way(2.0, 4.0, results=[0.75, 0.75]),
    }
    lines = speed_training.table(found, {speed_training.PLAIN: 0.5}, rows=100, epochs=3).splitlines()
    assert "| `transformers.Trainer`, defaults | 30.0 | 1.00 | 75.0 ± 7.1 |  |" == lines[2]
    assert "| FreeAL, plain | 100.0 | 3.33 | 75.0 ± 0.0 | 50 % |" == lines[3]


def test_scoring_is_compared_with_its_own_peer():
    """Labels with the pipeline's, embeddings with those of sentence-transformers."""
    found = {
        speed_scoring.PIPELINE: _way(8.0, results=[[0, 1, 1, 0]]),
        speed_scoring.OURS: _way(2.0, results=[[0, 1, 1, 1]]),
        speed_scoring.ENCODE: _way(6.0, results=[None]),
        speed_scoring.EMBED: _way(2.0, results=[None]),
    }
    lines = speed_scoring.table(found, rows=400, found_twice=found).splitlines()
    assert "| FreeAL | 200 | 4.00 | 75.00 % | 4.00 |" == lines[3]
    assert "| FreeAL, embeddings | 200 | 3.00 |  | 3.00 |" == lines[5]


def test_the_language_model_is_compared_label_by_label():
    """How many times as fast as each way FreeAL is, and on how many rows they agree."""
    found = {
        speed_language_model.OURS: _way(2.0, results=[["a", "b"]]),
        speed_language_model.GENERATE: _way(20.0, results=[["a", "a"]]),
    }
    lines = speed_language_model.table(found, rows=2).splitlines()
    assert "| `generate`, row by row | 0.10 | 10.00 | 50.0 % |" == lines[3]


def test_a_stage_inside_another_counts_for_itself():
    """What is nested is taken out of what is around it, and all stages together are the whole time."""
    watch = speed_jobs.Watch()
    with watch.stage("outer"), watch.stage("inner"):
        sum(range(200_000))
    assert {"outer", "inner", speed_jobs.OTHER} == set(watch.spent)
    assert watch.spent["outer"].processor < watch.spent["inner"].processor


def test_functions_of_every_kind_can_be_watched():
    """All that the benchmark wants to watch is there under its name."""
    import importlib

    for functions in speed_jobs.STAGES.values():
        for module, path in functions:
            found = importlib.import_module(module)
            for name in path.split("."):
                found = getattr(found, name)
            assert callable(found)


def test_jobs_stand_beside_each_other():
    """A job without a stage has an empty cell; the last line is the whole."""
    stages = {"imports": {"clock": 1.0, "processor": 0.5, "mib": 100.0}}
    jobs = {
        "sample": {"stages": stages, "accuracy": 79.0},
        "mr": {"stages": stages | {"language model": {"clock": 3.0, "processor": 2.0, "mib": 900.0}}, "accuracy": 75.0},
    }
    lines = speed_jobs.table(jobs).splitlines()
    assert "| language model |  | |  | 3.0 | 2.0 | 900 |" == lines[2]
    assert "| **all** | 1.0 | 0.5 | 100 | 4.0 | 2.5 | 900 |" == lines[4]
    assert "sample 79.0 % of the labels right; mr 75.0 % of the labels right." == lines[-1]
