"""The edges to the system: systemd, lock, log lines, command line."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys

import pytest
import structlog

from daemon.cli.command_line import main
from daemon.config import LogSettings
from daemon.errors import AlreadyRunningError
from daemon.host import instance_lock, logging_setup
from daemon.host.systemd_notify import Notifier
from daemon.status.status_snapshot import STALE_SECONDS, collect_status
from freeal.errors import ConfigError


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path, abstract):
    """READY, STATUS, WATCHDOG and STOPPING arrive at a path or at an abstract address; once it stops, a sign of life
    asks for the time that calls under way take."""
    name = f"freeal-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name}" if abstract else name)
        channel.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}" if abstract else name})
        notifier.ready()
        notifier.status("2 running")
        notifier.alive()
        notifier.stopping()
        notifier.alive()
        heard = [channel.recv(1000).decode() for _ in range(5)]
    more = "EXTEND_TIMEOUT_USEC=30000000"
    assert [f"READY=1\nMAINPID={os.getpid()}", "STATUS=2 running", "WATCHDOG=1"] == heard[:3]
    assert [f"STOPPING=1\n{more}", f"WATCHDOG=1\n{more}"] == heard[3:]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_heartbeat_is_a_third_of_what_systemd_allows(environment, seconds):
    """Two beats may be lost; a watchdog meant for another process is not ours."""
    assert seconds == Notifier(environment).heartbeat_seconds


def test_a_missing_socket_is_no_reason_to_stop(tmp_path):
    """Telling systemd is a courtesy."""
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).ready()


def test_a_lock_that_cannot_be_had_is_a_configuration_error(tmp_path):
    """Somebody else's file, or none at all: a service manager need not try again, and the message says what to do."""
    (tmp_path / instance_lock.LOCK_NAME).mkdir()
    with (
        pytest.raises(ConfigError, match="cannot be locked: Is a directory"),
        instance_lock.hold_instance_lock(tmp_path),
    ):
        raise AssertionError


def test_the_lock_is_free_again_when_its_holder_dies(tmp_path):
    """The kernel lets go, whatever killed the process."""
    code = (
        "import os, signal, sys, pathlib; from daemon.host import instance_lock\n"
        "with instance_lock.hold_instance_lock(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert b"held\n" == holder.stdout.readline()
        assert instance_lock.is_instance_running(tmp_path)
        with pytest.raises(AlreadyRunningError), instance_lock.hold_instance_lock(tmp_path, patience_seconds=0):
            pass
        holder.kill()
        holder.wait()
    assert not instance_lock.is_instance_running(tmp_path)


def test_asking_whether_a_lock_is_held_leaves_it_free(tmp_path):
    """`status` does not get in the way of a start."""
    assert not instance_lock.is_instance_running(tmp_path)
    with instance_lock.hold_instance_lock(tmp_path):
        pass
    assert not instance_lock.is_instance_running(tmp_path)


@pytest.mark.parametrize("format_", ["auto", "json"])
def test_elsewhere_than_on_a_terminal_a_line_is_one_json_object(format_):
    """With level, UTC time and the fields."""
    stream = io.StringIO()
    logging_setup.configure_logging(LogSettings(format=format_), stream)
    structlog.get_logger().info("a job was claimed", job="a-1")
    structlog.get_logger().debug("unseen")
    line = json.loads(stream.getvalue())
    assert ("a job was claimed", "a-1", "info", "Z") == (
        line["event"],
        line["job"],
        line["level"],
        line["timestamp"][-1],
    )


def test_the_console_format_is_for_eyes():
    """Asked for, also where no terminal is."""
    stream = io.StringIO()
    logging_setup.configure_logging(LogSettings(format="console"), stream)
    structlog.get_logger().warning("careful", job="a-1")
    assert "careful" in stream.getvalue()
    with pytest.raises(ValueError, match=r"Expecting value|Extra data"):
        json.loads(stream.getvalue())


@pytest.fixture(autouse=True)
def _fresh_structlog():
    yield
    structlog.reset_defaults()


def test_a_daemon_that_gives_no_sign_of_life_is_not_healthy(settings, journal, hands):
    """The lock alone does not make it alive."""
    journal.beat(1)
    with instance_lock.hold_instance_lock(settings.state):
        assert collect_status(settings, hands.clock).healthy
        hands.pass_by(STALE_SECONDS + 1)
        status = collect_status(settings, hands.clock)
    [problem] = status.content["problems"]
    assert (False, True) == (status.healthy, problem.startswith("the daemon gives no sign of life"))


def test_status_names_waiting_files_with_their_reasons(settings, hands, drop):
    """Without a journal, too."""
    drop(a_csv="text\nx\n")
    content = collect_status(settings, hands.clock).content
    assert [{"file": "a.csv", "reason": "no spec: drop a.yaml beside it"}] == content["waiting"]
    assert content["problems"][0].startswith("no daemon is running")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--once", "--dry-run"], 2), (["nonsense"], 2), (["retry"], 2), (["--config", "/nowhere.yaml", "status"], 78)],
)
def test_mistakes_of_usage_and_configuration_have_their_exit_codes(arguments, code, capsys):
    """A script can tell them apart."""
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    assert code == found
    assert capsys.readouterr().err


def test_the_config_may_stand_before_or_behind_the_command(tmp_path, capsys):
    """Both orders are natural."""
    (tmp_path / "freeal.yaml").write_text("inbox: here\n")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.csv").touch()
    config = ["--config", str(tmp_path / "freeal.yaml")]
    for arguments in ([*config, "status", "--json"], ["status", "--json", *config]):
        assert 1 == main(arguments)
        assert ["a.csv"] == [entry["file"] for entry in json.loads(capsys.readouterr().out)["waiting"]]


def test_a_fresh_daemon_has_loaded_nothing_heavy_and_is_small():
    """Everything the service's own process imports, in a new interpreter."""
    code = """
import sys
import daemon.cli.command_line, daemon.app, daemon.status.status_snapshot
import daemon.cli.check_command, daemon.cli.dry_run_command, daemon.cli.once_summary
print([name for name in ("torch", "transformers", "pandas", "sklearn", "numpy", "anthropic") if name in sys.modules])
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, kilobytes = done.stdout.splitlines()
    assert "[]" == loaded
    assert int(kilobytes) < 100_000
