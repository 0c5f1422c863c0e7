"""How the kills of the benchmark are grouped and counted. Nothing is killed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "shared"))  # scripts: their folder is their path
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "faults"))
sys.path.insert(0, str(Path(__file__).parent / "scenarios" / "kills"))

import kill_table
from matrix import Finding, Point


@pytest.mark.parametrize(
    ("role", "what", "group"),
    [
        ("daemon", "commit .state/journal.sqlite (update jobs done)", "daemon, before a commit of journal.sqlite"),
        ("job", "commit .state/answers.sqlite (insert bills)", "training job, before a commit of answers.sqlite"),
        ("daemon", "rename inbox/a.csv -> .state/work/a-*/input/a.csv", "daemon, while a job is claimed"),
        ("daemon", "mkdir inbox/done/a-*", "daemon, while inputs are archived"),
        (
            "job",
            "call freeal.student.training.robust_training:RobustTraining._step",
            "training job, in RobustTraining._step",
        ),
        ("daemon", "mkdir .state", "daemon, at its start or end"),
    ],
)
def test_a_point_belongs_to_the_moment_its_path_tells(role, what, group):
    """The table has a row per process and moment, not one per file."""
    assert group == kill_table.group(Point(role, what))


def test_whatever_is_wrong_shows_in_the_sum():
    """And in whether the command fails."""
    table = kill_table.Table()
    table.add("a", Finding(True, 0, 0, 0))
    assert table.is_clean
    table.add("a", Finding(True, 1, 2, 3))
    assert not table.is_clean
    assert "| a | 2 | 1 | 2 | 3 |" in table.markdown()
    assert table.markdown().endswith("| all | 2 | 1 | 2 | 3 |")
