"""The harness of the benchmark of the language model edge: what it sends, counts and shows."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "shared"))  # scripts: their folder is their path
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "llm"))

import traffic
import traffic_clients
import traffic_server
import traffic_tables

from freeal.llm.providers.anthropic import request_body
from freeal.testing.server import Limits

SEEN = traffic_server.Seen(
    arrivals=[(10.0 + number / 10, 100) for number in range(101)],
    requests=110,
    limited=9,
    most_under_way=4,
    generated=101,
    faults={"500": 2},
    delivered=100,
    delivered_again=0,
)
OUTCOME = traffic_clients.Outcome({"ok": 98, "refused": 2}, 12.0, 1.1, 5.0, 100, stored=100, billed=100)


def measured(way="freeal", *, outcome=OUTCOME, seen=SEEN, rows=100, whole=100):
    return traffic_tables.Measured(way, outcome, seen, rows, whole)


def test_texts_differ_unless_told_otherwise():
    """Numbered texts; a share of repetitions where one is asked for; the same every time."""
    assert 500 == len(set(traffic.texts(500)))
    assert 450 < len(set(traffic.texts(500, duplicates=0.05))) < 500
    assert traffic.texts(50, duplicates=0.1) == traffic.texts(50, duplicates=0.1)


def test_the_rate_is_what_was_admitted_after_the_ramp_up():
    """Ten requests per second, a hundred tokens each; a run as short as the ramp-up tells nothing."""
    assert 10.0 == pytest.approx(SEEN.rate(counts="requests", after_seconds=5.0))
    assert 1_000.0 == pytest.approx(SEEN.rate(counts="input tokens", after_seconds=5.0))
    assert None is SEEN.rate(counts="requests", after_seconds=10.0)


def test_every_setting_permits_the_same_rate_of_calls():
    """Bound by requests, tokens or concurrency: a second's worth of calls is as large."""
    texts = traffic.texts(200)
    requests, tokens, concurrency = traffic.settings(texts)
    mean_tokens = sum(map(traffic.input_tokens, texts)) / len(texts)
    assert requests.per_second == pytest.approx(tokens.per_second / mean_tokens)
    assert requests.per_second == pytest.approx(concurrency.per_second)


def test_faults_depend_on_seed_text_and_attempt_alone():
    """In another order the same texts meet the same; what ends a job comes once each."""
    bodies = [request_body(traffic.prompt(text), model=traffic.MODEL) for text in traffic.texts(400)]
    told = {"share": 0.05, "rows": 10**9, "seed": 1}
    there, back = traffic.RandomFaults(**told), traffic.RandomFaults(**told)
    met = [there(body) for body in bodies]
    assert met == [back(body) for body in reversed(bodies)][::-1]
    assert 5 < sum(fault is not None for fault in met) < 40
    ending = traffic.RandomFaults(0.05, rows=400, seed=1)
    kinds = [fault.kind for fault in map(ending, bodies) if fault is not None]
    assert [1] * len(traffic.ENDS_JOB) == [kinds.count(kind) for kind in traffic.ENDS_JOB]


def test_a_row_without_status_or_a_second_payment_is_found():
    """The two claims of the table fail when one of the figures is off by one."""
    assert traffic_tables.accounted([measured()])
    assert not traffic_tables.accounted([measured(rows=101)])
    assert traffic_tables.paid_once([measured()])
    assert not traffic_tables.paid_once([measured(seen=dataclasses.replace(SEEN, delivered_again=1))])
    assert not traffic_tables.paid_once([measured(outcome=dataclasses.replace(OUTCOME, billed=101))])


def test_the_tables_show_what_was_measured():
    """Share of the permitted rate, CPU per 1,000 requests, and a mark where a part stands for the whole."""
    setting = dataclasses.replace(traffic.settings(["a"])[0], per_second=20.0)
    text = traffic_tables.of_limits({setting: [measured(), measured("sequential", whole=1_000)]})
    assert "Limited by 1,200 requests per minute" in text
    assert "| 98 of 100 | 2 | 9 | 50.0 % | 12 | 10.00 | 5 |" in text
    assert "| 120* |" in text
    slower = dataclasses.replace(OUTCOME, wall_seconds=12.6)
    text = traffic_tables.of_faults([measured(outcome=slower), measured("freeal in memory")], share=0.05)
    assert "costs +5.0 % of the wall time" in text
    assert "ok 98, refused 2" in text


@pytest.mark.slow
@pytest.mark.parametrize("way", sorted(traffic_clients.WAYS))
def test_every_client_labels_all_rows_of_a_server_in_another_process(way):
    """Processes, protocol and counting work together."""
    with traffic_server.serving(limits=Limits()) as server:
        outcome = traffic_clients.run(traffic_clients.Work(way, server.base_url, 10, 4))
        seen = server.end()
    assert {"ok": 10} == outcome.statuses
    assert (10, 10, 0) == (seen.requests, seen.delivered, seen.limited)
    assert min(outcome.cpu_seconds, outcome.wall_seconds) > 0
