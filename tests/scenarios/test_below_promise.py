"""Rows below a model's promise, asked of the language model by the real program, and what becomes of the answers."""

from __future__ import annotations

import csv
import io
import json

import pytest

PREDICTED = [f"a {'good' if number % 2 else 'bad'} new thing {number}" for number in range(12)]


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _table(header, rows):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([header, *rows])
    return text.getvalue()


@pytest.fixture
def promising(daemon):
    """A model that promises so much that no row reaches it, and an owner who allows half a dollar for each table."""
    daemon.drop()
    assert 0 == daemon.run("--once").returncode
    model = daemon.models / "reviews"
    path = (model / "model").resolve() / "freeal.json"
    card = json.loads(path.read_text())
    card["extra"]["promise"] = {"scope": "all", "labels": {"": {"threshold": 1.1}}}
    path.write_text(json.dumps(card))
    settings = daemon.folder / "freeal.yaml"
    settings.write_text(settings.read_text() + "predict: {ask_below_promise_usd: 0.5}\n")
    (model / "predict" / "new.csv").write_text(_table(["id", "text"], enumerate(PREDICTED)))
    return model


def test_what_was_asked_is_marked_booked_and_teaches_the_next_version(daemon, server, promising):
    """With the key that only a process gets which asks; the bill is in the books of the day; corrections lead to a
    version that holds the rows with their answers, and asks nothing."""
    spent = json.loads(daemon.run("status", "--json").stdout)["spent_today_usd"]
    asked = len(server.requests)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    rows = _rows(promising / "predictions" / "new.csv")
    assert {("below_promise;asked", "llm")} == {(row["freeal_status"], row["freeal_source"]) for row in rows}
    assert ["positive" if "good" in text else "negative" for text in PREDICTED] == [row["freeal_label"] for row in rows]
    told = json.loads((promising / "predictions" / "new.json").read_text())
    assert (len(PREDICTED), True) == (told["asked"], 0.0 < told["asked_usd"] < 0.5)
    now = json.loads(daemon.run("status", "--json").stdout)["spent_today_usd"]
    assert pytest.approx(told["asked_usd"], abs=1e-5) == now - spent
    assert len(PREDICTED) == len(server.requests) - asked
    before = _rows(promising / "annotated" / "reviews.csv")
    correction = [[before[0]["text"], "negative"]]
    (promising / "corrections" / "mine.csv").write_text(_table(["text", "freeal_corrected"], correction))
    asked = len(server.requests)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert asked == len(server.requests)
    after = _rows(promising / "annotated" / "reviews.csv")
    assert [row["text"] for row in before] + PREDICTED == [row["text"] for row in after]
    assert [row["freeal_label"] for row in rows] == [row["freeal_llm_label"] for row in after[len(before) :]]


@pytest.mark.slow
def test_a_day_whose_money_is_spent_labels_the_table_all_the_same(daemon, server, promising):
    """Rows below the promise then have no label and say why; nobody is asked."""
    settings = daemon.folder / "freeal.yaml"
    content = settings.read_text().replace("llm: {provider", "llm: {daily_budget_usd: 0.000001, provider")
    settings.write_text(content)
    asked = len(server.requests)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    rows = _rows(promising / "predictions" / "new.csv")
    assert {("", "below_promise;budget", "")} == {
        (row["freeal_label"], row["freeal_status"], row["freeal_source"]) for row in rows
    }
    assert asked == len(server.requests)
