"""What the service says on a terminal at its start and its end."""

from __future__ import annotations

import io

from rich.console import Console

from daemon import config
from daemon.journal.job_record import Job, State
from daemon.terminal.service_greeting import farewell, greet


def test_the_service_says_what_it_looks_after_and_how_it_is_stopped(tmp_path, monkeypatch):
    """Both folders, what is waited for, Ctrl-C."""
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    greet(config.load(None), Console(file=stream, width=200))
    said = stream.getvalue()
    wanted = (str(tmp_path / "inbox"), str(tmp_path / "models"), "drop a CSV and its spec", "Ctrl-C stops")
    assert () == tuple(part for part in wanted if part not in said)


def test_the_last_line_counts_what_was_done_and_what_is_left():
    """So that nobody wonders whether the job under way is lost."""
    stream = io.StringIO()
    fields = {"name": "m", "key": "", "csv_name": "a", "spec_name": "b", "created_at": 1.0, "updated_at": 1.0}
    jobs = [Job(id="a", state=State.DONE, **fields), Job(id="b", state=State.FAILED, **fields)]
    farewell(jobs, open_jobs=2, console=Console(file=stream, width=200))
    expected = (
        "FreeAL has stopped: 1 job done, 1 failed or cancelled; 2 unfinished, which the next start goes on with\n"
    )
    assert expected == stream.getvalue()
