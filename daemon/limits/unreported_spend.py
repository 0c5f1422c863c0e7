"""What jobs were billed and could not report, because they or the daemon were killed: from the answer store to the
journal."""

from __future__ import annotations

import contextlib
from pathlib import Path

import structlog

from daemon.journal.journal import Journal
from daemon.limits.daily_spend import LEAST_USD, Purse
from freeal.errors import FreealError
from freeal.llm.store import store_maintenance
from freeal.llm.store.answer_store import SqliteStore
from freeal.types import Bill

_log = structlog.get_logger(__name__)


def book_unreported(job_id: str, answers: Path, *, journal: Journal, purse: Purse) -> Bill:
    """Book what a run of a job was billed and could not report; what the answer store says of all its runs."""
    if not answers.exists():
        return Bill()
    with contextlib.closing(SqliteStore(answers, job=job_id)) as store:
        billed = store.billed()
    _book_bill(job_id, billed, journal=journal, purse=purse)
    return billed


def _book_bill(job_id: str, billed: Bill, *, journal: Journal, purse: Purse) -> None:
    """Bring the figures of a job to what the answer store says, calls that a kill cut off among what is unconfirmed.

    A store that knows nothing of the job was lost, and takes nothing back.
    """
    if billed == Bill():
        return
    job = journal.job(job_id)
    if billed.usd - job.usd > LEAST_USD:
        purse.book_spend(job_id, billed.usd - job.usd)
        journal.note(job_id, calls=max(job.calls, billed.usage.calls))
    purse.book_unconfirmed(job_id, billed.unconfirmed_usd)


def book_all_unreported(answers: Path, *, journal: Journal, purse: Purse) -> None:
    """The same for every job the journal knows, at a start. A store that cannot be read now is read when a job runs."""
    try:
        bills = store_maintenance.bills_in_store(answers)
    except FreealError as problem:
        _log.warning("what killed jobs were billed is not known yet", problem=str(problem))
        return
    unconfirmed = purse.unconfirmed_by_job()
    for job in journal.jobs():
        billed = bills.get(job.id, Bill())
        is_new = billed.unconfirmed_usd != unconfirmed.get(job.id, 0.0)
        if is_new or billed.usd - job.usd > LEAST_USD:
            _book_bill(job.id, billed, journal=journal, purse=purse)
