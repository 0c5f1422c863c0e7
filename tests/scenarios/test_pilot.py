"""A pilot in the real program: it waits for its owner, whatever happens meanwhile, and pays for nothing twice."""

from __future__ import annotations

import csv
import json
import sqlite3

import pytest

SPEC = """\
description: Is the customer satisfied?
labels: {positive: satisfied, negative: not satisfied}
text_columns: [text]
label_column: truth
pilot: 20
"""


def _once(daemon):
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr


def _jobs(daemon):
    return json.loads(daemon.run("status", "--json").stdout)["jobs"]


def _pilots(daemon):
    return sorted((daemon.models / "reviews" / "pilots").iterdir())


def test_a_pilot_waits_and_one_word_goes_on_with_the_rest(daemon):
    """Its folder stands beside the model, `status` says what to do, and only the rest is paid for."""
    daemon.drop(csv=daemon.rows(60), spec=SPEC)
    _once(daemon)
    [job] = _jobs(daemon)
    assert "waiting" == job["state"]
    assert f"go {job['id']}" in job["reason"]
    [pilot] = _pilots(daemon)
    assert 20 == json.loads((pilot / "pilot.json").read_text())["rows"]
    assert not (daemon.models / "reviews" / "model").exists()
    paid, calls = job["usd"], job["calls"]
    _once(daemon)
    assert "waiting" == _jobs(daemon)[0]["state"], "it waits, however often the service starts"
    assert 0 == daemon.run("go", job["id"]).returncode
    _once(daemon)
    assert [] == _jobs(daemon)
    metrics = json.loads((daemon.models / "reviews" / "metrics.json").read_text())
    assert 60 == metrics["rows"]
    with sqlite3.connect(daemon.folder / ".state" / "journal.sqlite") as journal:
        usd, all_calls, state = journal.execute("SELECT usd, calls, state FROM jobs").fetchone()
    assert "done" == state
    assert paid < usd == pytest.approx(metrics["cost"]["usd"], abs=1e-6)
    assert calls < all_calls <= calls + 2 * 40 + 5
    assert not (daemon.models / "reviews" / "pilots").exists()
    with (daemon.models / "reviews" / "annotated" / "reviews.csv").open(encoding="utf-8", newline="") as stream:
        assert 60 == len(list(csv.DictReader(stream)))


@pytest.mark.slow
def test_an_empty_file_says_go_too(daemon):
    """For who has only the folder."""
    daemon.drop(csv=daemon.rows(60), spec=SPEC)
    _once(daemon)
    [pilot] = _pilots(daemon)
    (pilot / "go").touch()
    _once(daemon)
    assert 60 == json.loads((daemon.models / "reviews" / "metrics.json").read_text())["rows"]


@pytest.mark.slow
def test_a_pilot_can_be_given_up(daemon):
    """Its files go to failed/, and nothing of it stays beside the model."""
    daemon.drop(csv=daemon.rows(60), spec=SPEC)
    _once(daemon)
    [job] = _jobs(daemon)
    assert 2 == daemon.run("retry", job["id"]).returncode
    assert 0 == daemon.run("cancel", job["id"]).returncode
    daemon.run("--once")
    assert [] == _jobs(daemon)
    assert ["ERROR.txt", "error.json", "reviews.csv", "reviews.yaml"] == sorted(
        path.name for path in (daemon.inbox / "failed" / job["id"]).iterdir()
    )
    assert not (daemon.models / "reviews" / "pilots").exists()
    assert 2 == daemon.run("go", job["id"]).returncode
