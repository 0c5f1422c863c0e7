"""The unit, and a machine it is installed on as docs/how-to/systemd.md says."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # sandbox.py is also a program: its folder is its path

import machine as machines
from unit_file import ROOT


@pytest.fixture(scope="session")
def analyze():
    """The tool that reads units."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    return "systemd-analyze"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A machine after every step of the page but the first, which the checkout stands in for."""
    if reason := machines.can_be_made():
        pytest.skip(reason)
    made = machines.Machine(tmp_path_factory.mktemp("machine") / "root")
    for step in machines.steps(ROOT / "docs" / "how-to" / "systemd.md"):
        script = step.replace("enable --now", "enable")  # there is no systemd in it that could start anything
        done = made.run(f"export USER=alice SYSTEMD_OFFLINE=1\n{script}", text="sk-ant-from-the-page\n")
        assert 0 == done.returncode, f"{step}\n{done.stdout}{done.stderr}"
    return made
