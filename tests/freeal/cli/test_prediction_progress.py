"""Progress on stderr."""

from __future__ import annotations

import io

from freeal.cli.prediction_progress import shown_prediction_progress
from freeal.events import Notice, Progress


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_pipe_gets_a_line_per_tenth():
    """Rows, pace and what is left, after what is to be known; nothing before the number of rows is known."""
    stream = io.StringIO()
    with shown_prediction_progress(stream) as emit:
        emit(Notice("x"))
        emit(Progress("deciding", 0, 0, 0))
        for done in range(0, 1001, 50):
            emit(Progress("deciding", 0, done, 1000))
    said, *lines = stream.getvalue().splitlines()
    assert "x" == said
    assert 10 == len(lines)
    assert lines[0].startswith("100 of 1,000 rows, ")
    assert lines[0].endswith(" left")
    assert "left" not in lines[-1]


def test_a_run_that_goes_on_counts_its_own_pace_only():
    """Rows of an earlier process took no time of this one."""
    stream = io.StringIO()
    with shown_prediction_progress(stream) as emit:
        emit(Progress("deciding", 0, 900, 1000))
    assert "900 of 1,000 rows, 0 rows/s\n" == stream.getvalue()


def test_a_terminal_gets_a_bar():
    """And no trace of it stays."""
    stream = _Terminal()
    with shown_prediction_progress(stream) as emit:
        emit(Progress("deciding", 0, 500, 1000))
        emit(Progress("deciding", 0, 1000, 1000))
    assert "1000/1000" in stream.getvalue()
