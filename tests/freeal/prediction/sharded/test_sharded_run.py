"""A table labelled in shards: the output of any prediction, whoever computed which part of it."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest

from freeal.errors import InputError
from freeal.executors.engine_choice import EngineChoice
from freeal.executors.local_executor import LocalExecutor
from freeal.prediction.predict_csv import Classifier, predict_csv
from freeal.prediction.sharded.sharded_run import ShardedRun

CHOICE = EngineChoice("local", "a test says so")


class CountingExecutor(LocalExecutor):
    """Counts what it was given to do."""

    def __init__(self):
        self.done = Counter()

    def run(self, task, shards):
        for name in super().run(task, shards):
            self.done[name] += 1
            yield name


def _opened(job, executor=None):
    return ShardedRun(job, Classifier.load(job.model, job.settings), executor or LocalExecutor(), CHOICE)


def _whole(job, executor=None):
    with _opened(job, executor) as run:
        while run.step():
            pass
        summary = run.finish()
        run.forget()
    return summary


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_the_output_is_that_of_one_process(job, tmp_path):
    """Header, rows, labels and counts are those of a prediction without shards, probabilities to the third digit."""
    sharded = job()
    summary = _whole(sharded)
    plain = job(name="plain.csv", engine="local")
    expected = predict_csv(plain)
    found_rows, expected_rows = _rows(sharded.output_csv), _rows(plain.output_csv)
    assert [row[:4] for row in expected_rows] == [row[:4] for row in found_rows]
    numbers = [
        np.array([[float(cell or 0) for cell in row[4:]] for row in rows[1:]]) for rows in (expected_rows, found_rows)
    ]
    np.testing.assert_allclose(*numbers, atol=2e-4)
    same = ("rows", "empty_text", "truncated", "label_counts")
    assert {key: expected[key] for key in same} == {key: summary[key] for key in same}
    assert ("local", "a test says so", 5) == (summary["engine"], summary["engine_reason"], summary["shards"])


def test_nothing_but_the_output_stays(job, tmp_path):
    """Shards and checkpoint are gone when the summary has been seen."""
    _whole(job())
    assert {"new.csv", "out.csv"} == {path.name for path in tmp_path.iterdir()}


def test_left_at_any_step_it_goes_on_and_computes_nothing_twice(job):
    """A new process every eight steps, and the output is the one of a run in one go, byte for byte."""
    expected = job(name="at_once.csv")
    _whole(expected)
    executor, wanted = CountingExecutor(), job()
    over = False
    while not over:
        with _opened(wanted, executor) as run:
            over = False in [run.step() for _ in range(8)]
            if over:
                run.finish()
                run.forget()
    assert expected.output_csv.read_bytes() == wanted.output_csv.read_bytes()
    assert {1} == set(executor.done.values())
    assert 5 == len(executor.done)


def test_progress_only_rises_and_ends_at_the_rows(job):
    """While shards are computed it counts their rows."""
    with _opened(job()) as run:
        seen = [run.progress.done]
        while run.step():
            seen.append(run.progress.done)
    assert sorted(seen) == seen
    assert 100 == seen[-1]


def test_a_missing_column_leaves_nothing(job, tmp_path):
    """The error is the one of any prediction, and `discard` takes everything away."""
    wanted = job()
    wanted.input_csv.write_text("title,boddy\na,b\n", encoding="utf-8")
    run = _opened(wanted)
    with pytest.raises(InputError, match=r"column 'body'.*'boddy'"):
        run.step()
    run.discard()
    assert {"new.csv"} == {path.name for path in tmp_path.iterdir()}
