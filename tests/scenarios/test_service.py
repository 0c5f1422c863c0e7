"""The running service: signals, the lock, the commands beside it."""

from __future__ import annotations

import json
import shutil
import signal
import time
from contextlib import contextmanager

import pytest

from daemon.host import instance_lock


@contextmanager
def _running(daemon):
    """The service, up to the moment it takes work; killed if the test leaves it running."""
    service = daemon.start()
    try:
        for _ in range(1000):
            if json.loads(daemon.run("status", "--json").stdout)["daemon"]["running"]:
                break
            time.sleep(0.05)
        yield service
    finally:
        if service.poll() is None:
            service.kill()
        service.communicate()


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_second_instance_is_refused_and_sigterm_ends_the_first_well(daemon, mode):
    """Exit 75 for the one, 0 for the other; `status` is healthy in between and not after."""
    with (daemon.folder / "freeal.yaml").open("a") as stream:
        stream.write("log: {level: debug}\n")
    daemon.watch(f"mode: {mode}, stability_seconds: 0.2, rescan_seconds: 1")
    with _running(daemon) as service:
        second = daemon.run("--once")
        assert (75, True) == (second.returncode, "another instance" in second.stderr)
        assert 0 == daemon.run("status").returncode
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)
    assert 1 == daemon.run("status").returncode


@pytest.mark.slow
def test_a_job_stopped_by_sigterm_goes_on_at_the_next_start_and_pays_nothing_twice(daemon, server):
    """Answers already paid for come from the store; the inputs were never lost."""
    daemon.drop()
    with _running(daemon) as service:
        while not server.requests:
            time.sleep(0.02)
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)
    assert [] == list(daemon.inbox.glob("*.csv"))
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert (daemon.models / "reviews" / "model" / "config.json").is_file()
    texts = [json.dumps(request.body, sort_keys=True) for request in server.requests]
    doubled = len(texts) - len(set(texts))
    assert doubled <= 8, "at most the calls in flight may be billed twice"


@pytest.mark.slow
def test_a_daemon_killed_outright_leaves_nothing_behind_and_loses_nothing(daemon, server):
    """Its child ends by itself; the next daemon finishes the job."""
    daemon.drop()
    with _running(daemon) as service:
        while not server.requests:
            time.sleep(0.02)
        service.kill()
        service.wait()
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert "an unfinished job goes on" in done.stderr
    assert {"reviews.csv", "reviews.yaml"} == {path.name for path in daemon.only("inbox", "done").iterdir()}
    assert [] == list((daemon.folder / ".state" / "work").iterdir())


def test_a_state_folder_removed_under_the_service_is_begun_anew_for_nobody_else(daemon):
    """With a lock that a second instance finds held, closed to others, and the work goes on."""
    with _running(daemon) as service:
        shutil.rmtree(daemon.folder / ".state")
        while not instance_lock.is_instance_running(daemon.folder / ".state"):
            assert service.poll() is None
            time.sleep(0.05)
        assert 0o700 == (daemon.folder / ".state").stat().st_mode & 0o777
        assert 75 == daemon.run("--once").returncode
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)


def test_unknown_jobs_are_a_mistake_of_usage(daemon):
    """`retry` and `cancel` name what they do not know; exit 2."""
    for command in ("retry", "cancel"):
        done = daemon.run(command, "nobody-1")
        assert (2, True) == (done.returncode, "nobody-1" in done.stderr)


@pytest.mark.slow
def test_a_request_without_a_daemon_waits_for_the_next_one(daemon):
    """A failed job is mended, `retry` is asked for, and the next run does it."""
    daemon.drop(spec="labels: [positive, negative]\n")
    assert 1 == daemon.run("--once").returncode
    failed = daemon.only("inbox", "failed")
    (failed / "reviews.yaml").write_text("description: x\nlabels: [positive, negative]\ntext_columns: [text]\n")
    asked = daemon.run("retry", failed.name)
    assert (0, True) == (asked.returncode, "runs next" in asked.stdout)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert failed.name == daemon.only("models", "reviews", "versions").name
