"""What all jobs together mean for whoever called: the exit code of `--once`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.journal.job_record import Job, State

OUT_OF_MONEY = "BudgetReachedError"


def exit_code(ended: Iterable[Job], *, other_failures: int) -> int:
    """0 all done, 1 something failed, 3 stopped at a budget.

    A pause for want of money is a budget, any other a failure; so is a cap too small for a single call.
    """
    jobs = list(ended)
    at_budget = [job for job in jobs if job.state is State.FAILED and (job.error or {}).get("kind") == OUT_OF_MONEY]
    bad = [job for job in jobs if job.state in {State.FAILED, State.CANCELLED} and job not in at_budget]
    bad += [job for job in jobs if job.state is State.PAUSED and not job.partial]
    if bad or other_failures:
        return 1
    return 3 if at_budget or any(job.partial for job in jobs) else 0
