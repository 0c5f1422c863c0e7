"""What the commands that train say while they work."""

from __future__ import annotations

import io

import pytest

from freeal.cli.training_progress import shown_training_progress
from freeal.events import BatchProgress, Notice, Progress, RoundFinished, Spend


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Yes."""
        return True


EVENTS = (
    Progress("loading", 0, 0, 2, "models", rounds=3),
    Progress("training", 2, 120, 960, "texts", rounds=3, overall=0.4, remaining_seconds=360.0),
    Progress("training", 2, 121, 960, "texts", rounds=3, overall=0.4, remaining_seconds=359.0),
    Spend(0.25, 1, 1, 0, 1),
    BatchProgress("b", 3, 10),
    Notice("a word"),
    RoundFinished(2, {"agreement": 0.9}),
)


def test_a_pipe_gets_a_line_per_tenth_with_round_and_time_of_the_whole_job():
    """Round N of how many, the stage, and what the job will take yet; the same tenth is told once."""
    stream = io.StringIO()
    with shown_training_progress(stream) as emit:
        for event in EVENTS:
            emit(event)
    assert [
        "loading: 0 of 2 models",
        "round 2 of 3, training: 120 of 960 texts, 6 min left",
        "batch b: 3 of 10 answered",
        "note: a word",
        "round 2 finished: agreement 0.9",
    ] == stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (EVENTS[1], ("round 2 of 3, training: 120 of 960 texts", "6 min left")),
        (EVENTS[3], ("$0.2500",)),
        (EVENTS[4], ("waiting for a batch: 3 of 10 answered",)),
        (EVENTS[5], ("note: a word",)),
    ],
)
def test_a_terminal_gets_one_bar_of_the_whole_job(event, said, monkeypatch):
    """Whatever happens stands beside the bar, or above it."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with shown_training_progress(stream) as emit:
        emit(event)
        emit(Notice("so that the bar is drawn"))
    assert [] == [part for part in said if part not in stream.getvalue()]
