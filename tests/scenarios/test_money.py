"""Money over whole runs of the program: before, up to the cap, after a kill, and never twice."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import threading

import pytest

from freeal.annotation.prompts import label_prompt
from freeal.money.call_ceiling import call_ceiling
from freeal.money.prices import KNOWN_PRICES, cost_usd
from freeal.testing.server import MessagesServer
from freeal.types import Demonstration, Label, Task, Usage

pytestmark = pytest.mark.timeout(600)

EXAMPLES = "examples: [[a fine one, positive], [a poor one, negative]]\nllm: {concurrency: 1}\n"
PRICE = KNOWN_PRICES["claude-haiku-5-5"]
ROWS = 24
CALL_USD = cost_usd(Usage(1, 188, 0, 9), PRICE)
"""What the server bills for a call of these scenarios."""


def _most_usd():
    """What one call of these scenarios can cost at most."""
    task = Task("Is the customer satisfied?", (Label("positive", "satisfied"), Label("negative", "not satisfied")))
    shown = [Demonstration("a fine one", "positive", "user"), Demonstration("a poor one", "negative", "user")]
    prompt = label_prompt(task, "a good thing number 10", style="chat", shared=shown)
    return cost_usd(call_ceiling(prompt), PRICE)


def _annotated(daemon, name="reviews"):
    with (daemon.models / name / "annotated" / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def _metrics(daemon, name="reviews"):
    return json.loads((daemon.models / name / "metrics.json").read_text())


def _asked(server):
    """The last text of every request, in order."""
    return [request.body["messages"][0]["content"][-1]["text"] for request in server.requests]


def _billed_usd(server):
    return cost_usd(server.billed, PRICE)


def test_a_cap_ends_the_job_with_what_it_has_and_the_rest_is_paid_for_later(daemon, server):
    """Rows beyond the cap say `budget`, exit 3; with a higher cap only they are asked, and nothing is asked twice."""
    cap_usd = _most_usd() + 10 * CALL_USD
    daemon.drop(spec=daemon.spec + EXAMPLES + f"budget_usd: {cap_usd:.9f}\n")
    stopped = daemon.run("--once")
    assert 3 == stopped.returncode, stopped.stderr
    rows = _annotated(daemon)
    statuses = [row["freeal_status"] for row in rows]
    assert {"ok", "budget"} == set(statuses)
    assert ROWS == len(rows)
    assert statuses.count("ok") == len(server.requests)
    assert {"positive", "negative"} >= {row["freeal_label"] for row in rows}
    assert _billed_usd(server) <= cap_usd
    assert pytest.approx(_billed_usd(server), abs=1e-6) == _metrics(daemon)["cost"]["usd"]

    daemon.drop(spec=daemon.spec + EXAMPLES + "budget_usd: 1.0\n")
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert (ROWS, ROWS) == (len(server.requests), len(set(_asked(server))))
    assert {"ok"} == {row["freeal_status"] for row in _annotated(daemon)}
    own, model = (_metrics(daemon)[key]["calls"] for key in ("cost", "model_cost"))
    assert (statuses.count("budget"), ROWS) == (own, model)
    assert pytest.approx(_billed_usd(server), abs=1e-5) == _metrics(daemon)["model_cost"]["usd"]


@pytest.mark.slow
def test_a_job_that_failed_half_way_is_paid_for_once_and_its_cost_is_the_whole(daemon):
    """The key is refused after ten answers; after `retry` the metrics and the journal count both runs."""
    faults = [None] * 10 + ["401"]
    with MessagesServer(answer=_verdict, faults=faults) as server:
        _point_at(daemon, server)
        daemon.drop(spec=daemon.spec + EXAMPLES)
        assert 1 == daemon.run("--once").returncode
        job = daemon.only("inbox", "failed").name
        assert 0 == daemon.run("retry", job).returncode
        done = daemon.run("--once")
        assert 0 == done.returncode, done.stderr
        cost = _metrics(daemon)["cost"]
        assert ROWS + 1 == len(server.requests)
        assert (ROWS, server.billed.input_tokens) == (cost["calls"], cost["input_tokens"])
        assert pytest.approx(_billed_usd(server), abs=1e-6) == cost["usd"]
        [told] = json.loads(daemon.run("status", "--json").stdout)["finished"]
        assert (ROWS, pytest.approx(cost["usd"], abs=1e-6)) == (told["calls"], told["usd"])


@pytest.mark.slow
def test_a_failed_job_dropped_again_is_part_of_what_the_model_cost(daemon):
    """The new job pays for the rest alone; the model's bill is the provider's, and stays so in a version after it."""
    with MessagesServer(answer=_verdict, faults=[None] * 10 + ["401"]) as server:
        _point_at(daemon, server)
        daemon.drop(spec=daemon.spec + EXAMPLES)
        assert 1 == daemon.run("--once").returncode
        for again in ("", "force: true\n"):
            daemon.drop(spec=daemon.spec + EXAMPLES + again)
            done = daemon.run("--once")
            assert 0 == done.returncode, done.stderr
            own, model = (_metrics(daemon)[key] for key in ("cost", "model_cost"))
            assert (0 if again else ROWS - 10, ROWS) == (own["calls"], model["calls"])
            assert pytest.approx(_billed_usd(server), abs=1e-5) == model["usd"]


@pytest.mark.slow
def test_a_killed_service_forgets_no_money(daemon):
    """SIGKILL in the middle: what was answered before counts in the cost of the job and in the spend of the day."""
    go_on, reached = threading.Event(), threading.Event()
    answered = []

    def answer(text):
        answered.append(text)
        if len(answered) == 8:
            reached.set()
            go_on.wait(60)
        return _verdict(text)

    with MessagesServer(answer=answer) as server:
        _point_at(daemon, server, "daily_budget_usd: 5.0")
        daemon.drop(spec=daemon.spec + EXAMPLES)
        service = daemon.start()
        assert reached.wait(60)
        service.send_signal(signal.SIGKILL)
        service.wait(60)
        service.stderr.close()
        go_on.set()
        done = daemon.run("--once")
        assert 0 == done.returncode, done.stderr
        cost = _metrics(daemon)["cost"]
        assert ROWS == cost["calls"]
        assert len(server.requests) <= ROWS + 1  # the call under way at the kill may be lost
        told = json.loads(daemon.run("status", "--json").stdout)
        assert pytest.approx(cost["usd"], abs=1e-6) == told["spent_today_usd"]
        with sqlite3.connect(daemon.folder / ".state" / "journal.sqlite") as journal:
            assert [] == journal.execute("SELECT * FROM reservations").fetchall()
        journal.close()


@pytest.mark.slow
def test_the_cap_of_the_day_holds_over_jobs_side_by_side(daemon, server):
    """Two jobs at once never spend more than the day has; one or both stop, the exit code says so."""
    cap_usd = 2 * _most_usd() + 12 * CALL_USD
    _point_at(daemon, server, f"daily_budget_usd: {cap_usd:.9f}", "jobs: {parallel: 2}")
    for name in ("one", "two"):
        daemon.drop(
            name, csv=daemon.rows(ROWS, start=100 * len(name) + (name == "two") * 50), spec=daemon.spec + EXAMPLES
        )
    done = daemon.run("--once")
    assert 3 == done.returncode, done.stderr
    assert 0 < len(server.requests) < 2 * ROWS
    assert _billed_usd(server) <= cap_usd
    told = json.loads(daemon.run("status", "--json").stdout)
    assert pytest.approx(_billed_usd(server), abs=1e-6) == told["spent_today_usd"]


@pytest.mark.slow
def test_the_same_content_again_or_for_another_model_asks_nothing(daemon, server):
    """Forced to run again, and under another name: every answer comes from the store they share."""
    daemon.drop(spec=daemon.spec + EXAMPLES)
    assert 0 == daemon.run("--once").returncode
    asked = len(server.requests)
    assert ROWS == asked
    daemon.drop(spec=daemon.spec + EXAMPLES + "force: true\n")
    daemon.drop("copies", spec=daemon.spec + EXAMPLES + "name: others\n")
    done = daemon.run("--once")
    assert (0, asked) == (done.returncode, len(server.requests)), done.stderr
    assert (0, 0.0) == (_metrics(daemon)["cost"]["calls"], _metrics(daemon, "others")["cost"]["usd"])
    assert ROWS == sum(json.loads(line)["from_store"] for line in _audit(daemon, "others"))


@pytest.mark.slow
def test_a_dry_run_tells_what_the_run_then_costs(daemon, server):
    """Model, calls, cost against the cap, time and the whole first prompt; nothing is called, moved or made."""
    daemon.drop(spec=daemon.spec + EXAMPLES + "budget_usd: 2.50\n")
    told = daemon.run("--dry-run")
    assert (0, []) == (told.returncode, server.requests), told.stderr
    assert {"freeal.yaml", "inbox"} == {path.name for path in daemon.folder.iterdir()}
    lines = dict(line.strip().split("  ", 1) for line in told.stdout.splitlines() if "  " in line.strip())
    assert "anthropic, claude-haiku-5-5" == lines["annotated by"].strip()
    assert "24 rows, 24 distinct, of text" == lines["texts"].strip()
    assert "at most 2.50 USD" in lines["cost"]
    assert "training" in lines["time"]
    assert 0 == daemon.run("--once").returncode
    cost = _metrics(daemon)["cost"]
    low, high = (float(part) for part in lines["cost"].strip().split(" USD")[0].split(" to "))
    assert low - 1e-4 <= cost["usd"] <= high + 1e-4
    sent = server.requests[0].body
    prompt = sent["system"][0]["text"] + "\n\n" + "".join(part["text"] for part in sent["messages"][0]["content"])
    shown = told.stdout.partition("the first prompt:\n")[2]
    assert prompt.split() == shown.split()


def _audit(daemon, name):
    version = daemon.only("models", name, "versions")
    return (version / "audit.jsonl").read_text().splitlines()


def _verdict(text):
    return "positive" if "good" in text else "negative"


def _point_at(daemon, server, llm="", rest=""):
    """Rewrite freeal.yaml for another server, with more settings."""
    path = daemon.folder / "freeal.yaml"
    lines = path.read_text().splitlines()
    more = f", {llm}" if llm else ""
    lines = [
        f'llm: {{provider: anthropic, base_url: "{server.base_url}"{more}}}' if x.startswith("llm:") else x
        for x in lines
    ]
    path.write_text("\n".join([*lines, rest]) + "\n")
