"""Threads: how they wait for each other, and how many there may be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from freeal.compute import cpu_threads


def _fresh(code: str, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if name not in {"OMP_WAIT_POLICY", "OMP_NUM_THREADS"}}
    done = subprocess.run(
        [sys.executable, "-c", code], env=own | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_the_library_has_threads_sleep_while_they_wait():
    """A notebook that imports freeal before torch needs no setting of its own."""
    assert "PASSIVE" == _fresh("import freeal, os; print(os.environ['OMP_WAIT_POLICY'])")


def test_what_the_user_says_about_waiting_stands():
    """A policy in the environment is not overwritten."""
    assert "ACTIVE" == _fresh("import freeal, os; print(os.environ['OMP_WAIT_POLICY'])", OMP_WAIT_POLICY="ACTIVE")


def test_behind_torch_it_is_too_late_to_say_how_threads_wait():
    """Where torch was imported first, the library says nothing and knows that nobody did."""
    code = "import torch, freeal, os\nfrom freeal.compute import cpu_threads\nprint(cpu_threads.wait_asleep())"
    assert "False" == _fresh(code)
    assert "True" == _fresh(code, OMP_WAIT_POLICY="PASSIVE")


@pytest.mark.parametrize(("own", "busy", "expected"), [(4, 0.0, 4), (4, 2.6, 1), (8, 3.2, 5), (2, 7.0, 1)])
def test_busy_cores_are_left_to_others(own, busy, expected):
    """Threads that cannot be told to sleep use the idle cores, and always one."""
    assert expected == cpu_threads.threads(own, busy=busy)


@pytest.mark.parametrize(("written", "expected"), [("100000 100000\n", 1), ("max 100000\n", None), ("50 100\n", 1)])
def test_a_quota_bounds_the_cores(tmp_path, written, expected):
    """A container that may use a core's worth of time gets one thread, however many cores the machine has."""
    quota = tmp_path / "cpu.max"
    quota.write_text(written)
    own = len(os.sched_getaffinity(0))
    assert (expected or own) == cpu_threads.cores(quota)
    assert own == cpu_threads.cores(tmp_path / "absent")
