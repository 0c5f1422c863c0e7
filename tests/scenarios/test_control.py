"""The real program under its operator's hands: reload, stop at any stage, and what its log holds."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "freeal.service"


class Log:
    """The lines of a running service, read as they come."""

    def __init__(self, service):
        self.text = ""
        self._service = service
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._service.stderr:
            self.text += line

    def close(self):
        """Read what is left."""
        self._thread.join()
        self._service.stderr.close()

    def lines(self, event):
        found = [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def wait_for(self, event):
        """The first line of this event."""
        for _ in range(2400):
            if found := self.lines(event):
                return found[0]
            assert self._service.poll() is None, self.text
            time.sleep(0.025)
        raise AssertionError(self.text)


@contextmanager
def running(daemon):
    service = daemon.start()
    log = Log(service)
    try:
        yield service, log
    finally:
        if service.poll() is None:
            service.kill()
        service.wait()
        log.close()


def children_of(pid):
    """Process ids of what a process has started and not buried, zombies among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def add(daemon, text):
    file = daemon.folder / "freeal.yaml"
    file.write_text(file.read_text() + text)


def set_key(daemon, old, new):
    file = daemon.folder / "freeal.yaml"
    file.write_text(file.read_text().replace(old, new))


def test_sighup_reads_the_settings_again_and_a_broken_file_changes_nothing(daemon):
    """Each time one line says what became of it; the service goes on and can be stopped."""
    add(daemon, "jobs: {parallel: 1}\n")
    with running(daemon) as (service, log):
        while not json.loads(daemon.run("status", "--json").stdout)["daemon"]["running"]:
            time.sleep(0.05)
        set_key(daemon, "parallel: 1", "parralel: 1")
        service.send_signal(signal.SIGHUP)
        problem = log.wait_for("the settings stay as they were")["problem"]
        assert all(part in problem for part in ("freeal.yaml", "line", "parralel", "parallel"))
        set_key(daemon, "jobs: {parralel: 1}", "jobs: {parallel: 3}\nweb: {port: 9999}")
        service.send_signal(signal.SIGHUP)
        assert "web.port" == log.wait_for("these settings take a restart")["keys"]
        in_force = "new settings are in force; for llm, student and loop in jobs started from now on"
        assert "jobs.parallel" == log.wait_for(in_force)["keys"]
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)


def hangups_are(what, process):
    """Whether it has SIGHUP among its `SigCgt` or its `SigIgn`."""
    assert process.poll() is None
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:"))
    return bool(int(mask, 16) >> (signal.SIGHUP - 1) & 1)


def test_a_sighup_while_the_service_is_still_imported_is_obeyed_once_it_listens(daemon):
    """Long before there is a loop: it does not kill, and the settings are read again as if it had come later."""
    with running(daemon) as (service, log):
        while not hangups_are("SigCgt", service):
            time.sleep(0.001)
        service.send_signal(signal.SIGHUP)
        assert not (daemon.folder / ".state").exists(), "nothing has begun yet"
        log.wait_for("the settings have not changed")
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)


def test_as_the_unit_starts_it_no_sighup_kills_however_early(daemon, monkeypatch):
    """Before the interpreter has run a line of ours it is ignored, from then on it is obeyed."""
    [line] = re.findall(r"^ExecStart=(.*?) \S*python ", UNIT.read_text(), re.MULTILINE)
    command = daemon.command
    monkeypatch.setattr(daemon, "command", lambda *arguments: [*line.split(), *command(*arguments)])
    with running(daemon) as (service, log):
        while not hangups_are("SigIgn", service):
            time.sleep(0.0005)
        while not hangups_are("SigCgt", service):
            service.send_signal(signal.SIGHUP)
        service.send_signal(signal.SIGHUP)
        log.wait_for("the settings have not changed")
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["a job was claimed", "a job runs", "stage", "a round is finished"])
def test_a_stop_at_any_stage_leaves_no_process_and_loses_nothing(daemon, stage):
    """Claiming, starting, annotating, publishing: exit 0, every child buried, and the next run ends the job."""
    daemon.drop(csv=daemon.rows(120))
    with running(daemon) as (service, log):
        log.wait_for(stage)
        pids = [line["pid"] for line in log.lines("a job runs")] + children_of(service.pid)
        service.send_signal(signal.SIGTERM)
        assert 0 == service.wait(timeout=60), log.text
        assert [] == [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert (daemon.models / "reviews" / "annotated" / "reviews.csv").is_file()


@pytest.mark.slow
def test_no_line_of_the_log_holds_the_text_of_a_row_or_a_reply(daemon, server):
    """At the most talkative level, with a job, a prediction, a refused file and a failed job."""
    add(daemon, "log: {level: debug}\n")
    words = [f"{'good' if number % 2 else 'bad'} zebra{number}quux" for number in range(24)]
    daemon.drop(csv="text,truth\n" + "".join(f"{word},positive\n" for word in words))
    daemon.drop("broken", csv="other\n" + "".join(f"{word}\n" for word in words))
    predict = daemon.models / "reviews" / "predict"
    predict.mkdir(parents=True)
    (predict / "new.csv").write_text("text\n" + "\n".join(words) + "\n")
    first = daemon.run("--once")
    second = daemon.run("--once")
    said = first.stderr + first.stdout + second.stderr + second.stdout
    assert "a job was claimed" in said
    assert [] == [word for word in words if word.split()[1] in said]
    assert 'confidence\\"' not in said


@pytest.mark.slow
def test_two_jobs_side_by_side_take_turns_and_both_end_well(daemon):
    """The default: two processes, one device."""
    for stem in ("first", "second"):
        daemon.drop(stem, csv=daemon.rows(30, start=len(stem) * 100))
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert {"first", "second"} == {path.parent.parent.name for path in daemon.models.glob("*/annotated/*.csv")}
