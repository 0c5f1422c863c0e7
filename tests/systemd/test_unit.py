"""The unit as systemd's own tools judge it."""

from __future__ import annotations

import re
import subprocess

import pytest
from unit_file import DROP_INS, UNIT, Unit

from daemon.cli.command_line import CONFIGURATION, USAGE
from daemon.jobs import job_runner
from daemon.processes import process_supervisor
from freeal.settings import LlmSettings


@pytest.fixture
def copied(tmp_path):
    """The unit, with chosen drop-ins, where the tools find both; its program is one that exists everywhere."""

    def copy(*drop_ins):
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
        (tmp_path / UNIT.name).write_text(text)
        folder = tmp_path / f"{UNIT.name}.d"
        folder.mkdir()
        for name in drop_ins:
            (folder / name).write_text((DROP_INS / name).read_text())
        return tmp_path / UNIT.name

    return copy


_COMBINATIONS = pytest.mark.parametrize(
    ("drop_ins", "most"),
    [((), 2.0), (("gpu.conf",), 2.5), (("offline.conf",), 2.0), (("gpu.conf", "offline.conf"), 2.5)],
)


@_COMBINATIONS
def test_systemd_finds_nothing_to_say_against_the_unit(analyze, copied, drop_ins, most):
    """`systemd-analyze verify` is silent, with and without drop-ins."""
    done = subprocess.run([analyze, "verify", copied(*drop_ins)], capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@_COMBINATIONS
def test_the_unit_exposes_little(analyze, copied, drop_ins, most):
    """`systemd-analyze security` rates it well below the 9.6 of a unit without hardening."""
    command = [analyze, "security", "--offline=true", copied(*drop_ins)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert most >= float(found[1])


def test_every_file_of_the_folder_is_named_in_its_readme():
    """Nothing is shipped that a reader would not find."""
    readme = (UNIT.parent / "README.md").read_text()
    shipped = [path for path in UNIT.parent.rglob("*") if path.is_file() and path.name != "README.md"]
    assert [] == [path.name for path in shipped if path.name not in readme]


def test_exit_codes_that_a_restart_would_repeat_are_not_restarted():
    """A mistake in settings or in the command line is for a person."""
    assert {str(CONFIGURATION), str(USAGE)} == set(Unit.read(UNIT).words("RestartPreventExitStatus"))


def test_a_stop_outlasts_the_longest_call():
    """Calls under way are paid for: a job may finish them before it is killed, and the unit kills later than that."""
    calls_seconds = LlmSettings().timeout_seconds
    job_seconds = job_runner.grace_seconds("anthropic", LlmSettings())
    assert calls_seconds < job_seconds
    assert job_seconds + process_supervisor.FAREWELL_SECONDS < float(Unit.read(UNIT).last("TimeoutStopSec"))
    longer = LlmSettings(timeout_seconds=600.0)
    assert 600.0 < job_runner.grace_seconds("openai", longer)
    assert job_runner.GRACE_SECONDS == job_runner.grace_seconds(job_runner.LOCAL, longer)


def test_a_drop_in_goes_on_where_the_unit_ends(tmp_path):
    """Lists grow, an empty value empties them, of a switch the last word counts."""
    drop_in = tmp_path / "one.conf"
    drop_in.write_text("[Service]\nNice=\nNice=7\nPrivateDevices=false\nReadWritePaths=/more\n")
    unit = Unit.read(UNIT, drop_in)
    assert ("7", False, ["/srv/freeal", "/more"]) == (
        unit.last("Nice"),
        unit.is_on("PrivateDevices"),
        unit.words("ReadWritePaths"),
    )
