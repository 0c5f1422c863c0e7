"""What all jobs together mean for the caller, and what is said to one who retries a finished job."""

from __future__ import annotations

import dataclasses

import pytest

from daemon.errors import UnknownJobError
from daemon.jobs.cancel_and_retry import write_request
from daemon.jobs.exit_code import exit_code
from daemon.jobs.failure_policy import judge_failure
from daemon.journal.job_record import Job, State
from daemon.processes.message_protocol import Failure
from freeal.llm.store import store_file

JOB = Job(id="m-1", name="m", key="k", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0)
DONE = dataclasses.replace(JOB, state=State.DONE)
PARTIAL = dataclasses.replace(DONE, partial=True)
FAILED = dataclasses.replace(JOB, state=State.FAILED, error={"kind": "InputError"})
NO_MONEY = dataclasses.replace(JOB, state=State.FAILED, error={"kind": "BudgetReachedError"})
PAUSED = dataclasses.replace(JOB, state=State.PAUSED)


@pytest.mark.parametrize(
    ("jobs", "other_failures", "code"),
    [
        ([], 0, 0),
        ([DONE], 0, 0),
        ([DONE], 1, 1),
        ([DONE, PARTIAL], 0, 3),
        ([DONE, NO_MONEY], 0, 3),
        ([FAILED, NO_MONEY], 0, 1),
        ([FAILED, PARTIAL], 0, 1),
        ([PAUSED], 0, 1),
    ],
)
def test_a_failure_weighs_more_than_a_budget(jobs, other_failures, code):
    """3 says that more money is all that is missing."""
    assert code == exit_code(jobs, other_failures=other_failures)


@pytest.mark.parametrize(("job", "way_on"), [(DONE, "force: true"), (PARTIAL, "stopped at its budget: raise it")])
def test_a_retry_of_a_finished_job_says_what_to_do_instead(journal, job, way_on):
    """One that stopped at its budget goes on with more money, not by force."""
    journal.add(job)
    with pytest.raises(UnknownJobError, match=way_on):
        write_request(journal, job.id, "retry")


def test_a_store_that_somebody_else_holds_pauses_the_job(tmp_path):
    """For a minute, as often as it takes, with the file and what to look for as the reason."""
    failure = Failure.of(store_file.store_busy_error(tmp_path / "answers.sqlite", 600.0))
    pause = judge_failure(failure, attempts=99, now=1000.0)
    assert (1060.0, False, False) == (pause.until, pause.is_attempt, pause.at_budget)
    assert "answers.sqlite" in pause.reason
    assert "another process has held" in pause.reason
