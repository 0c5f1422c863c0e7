"""Batches, whole: from drop to model through the Message Batches API, across a stop, and given up."""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager

import pytest

from freeal.testing.server import BatchRules, MessagesServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server():
    """Batches end when the test says so."""
    with MessagesServer(
        answer=lambda text: "positive" if "good" in text else "negative",
        batch_rules=BatchRules(polls_to_end=None),
    ) as running:
        yield running


@pytest.fixture
def daemon(daemon):
    """In mode auto, with a threshold that the sample passes."""
    path = daemon.folder / "freeal.yaml"
    path.write_text(path.read_text().replace("provider: anthropic,", "provider: anthropic, batch_from_rows: 10,"))
    return daemon


@contextmanager
def _waiting_for_a_batch(daemon, server):
    """The service, with a job whose batch is under way and shown by `status`; killed if the test leaves it running."""
    daemon.drop()
    service = daemon.start()
    try:
        for _ in range(600):
            [*jobs] = json.loads(daemon.run("status", "--json").stdout)["jobs"]
            if jobs and jobs[0].get("stage") == "waiting for a batch":
                break
            time.sleep(0.05)
        assert (23, 23) == (jobs[0]["total"], len(server.batches.created[0].requests))
        yield service, jobs[0]["id"]
    finally:
        if service.poll() is None:
            service.kill()
        service.communicate()


def test_a_stop_leaves_the_batch_and_the_next_start_reads_it(daemon, server):
    """SIGTERM while the batch is under way, a restart when it has ended: one batch in all, every row from it."""
    with _waiting_for_a_batch(daemon, server) as (service, _):
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)
    assert "cancel" not in server.batches.calls
    server.batches.end_all()
    live = len(server.requests)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert (1, live) == (server.batches.calls.count("create"), len(server.requests))
    metrics = json.loads((daemon.models / "reviews" / "metrics.json").read_text())
    assert (24, 24) == (metrics["rounds"][0]["asked"], metrics["rounds"][0]["answered"])
    assert server.billed.calls + server.batch_billed.calls == metrics["cost"]["calls"]


def test_a_job_killed_with_its_daemon_finds_its_batch_again(daemon, server):
    """kill -9 while the batch is under way: nothing is submitted a second time."""
    with _waiting_for_a_batch(daemon, server) as (service, _):
        service.kill()
        service.wait()
    server.batches.end_all()
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert 1 == server.batches.calls.count("create")


def test_cancel_gives_the_batch_up_too(daemon, server):
    """Beside the running service: the job ends in failed/, its batch is cancelled at the provider."""
    with _waiting_for_a_batch(daemon, server) as (_, job):
        assert 0 == daemon.run("cancel", job).returncode
        for _ in range(600):
            if (daemon.inbox / "failed" / job / "ERROR.txt").is_file():
                break
            time.sleep(0.05)
        assert "canceling" == server.batches.created[0].processing_status
        assert "cancelled by the user" in (daemon.inbox / "failed" / job / "ERROR.txt").read_text()


def test_cancel_reaches_the_batch_of_a_job_that_does_not_run(daemon, server):
    """Asked for while no daemon runs: the next one gives the batch up without starting the job."""
    with _waiting_for_a_batch(daemon, server) as (service, job):
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)
    assert 0 == daemon.run("cancel", job).returncode
    daemon.run("--once")
    assert "canceling" == server.batches.created[0].processing_status
    assert ["reviews.csv", "reviews.yaml"] == sorted(
        path.name for path in (daemon.inbox / "failed" / job).iterdir() if path.name.startswith("reviews")
    )
