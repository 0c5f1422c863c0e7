"""What events of a job leave in its row of the journal."""

from __future__ import annotations

import pytest

from daemon.host.clock import Clock
from daemon.jobs.job_progress import ProgressBook
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.limits.daily_spend import Purse
from daemon.terminal.progress_log import LogView
from freeal.events import Progress
from freeal.types import Bill

FIELDS = {"name": "m", "key": "", "csv_name": "a.csv", "spec_name": "a.yaml", "created_at": 1.0, "updated_at": 1.0}


@pytest.fixture
def told(tmp_path):
    """What the journal says of a job after some events, all within the same second, the thousandth."""
    clock = Clock(wall=lambda: 1000.0, steady=lambda: 1000.0)
    with Journal(tmp_path, clock) as journal:
        job = Job(id="m-1", state=State.CLAIMED, **FIELDS)
        journal.add(job)
        book = ProgressBook(
            job, journal=journal, purse=Purse(journal, clock), clock=clock, view=LogView(), billed=Bill()
        )

        def tell(*events):
            for event in events:
                book.on_event(event)
            return journal.job("m-1")

        yield tell


def test_a_stage_that_begins_is_told_at_once(told):
    """Loading a language model says nothing more for a minute: "reading" must not stand there for that long."""
    assert "loading" == told(Progress("reading", 0, 1, 1, "files"), Progress("loading", 0, 0, 2, "models")).stage


def test_the_whole_job_is_told_with_the_moment_it_should_end(told):
    """So that `status` counts down although the next event is minutes away."""
    job = told(Progress("training", 2, 1, 9, "steps", rounds=3, overall=0.5, remaining_seconds=60.0))
    assert (2, 3, 0.5, 1060.0) == (job.round, job.rounds, job.overall, job.ends_at)
    unknown = told(Progress("annotating", 3, 0, 9, rounds=3))
    assert (None, None) == (unknown.overall, unknown.ends_at)
