"""`cancel` and `retry`: asked for on the command line, written in the journal, done by the daemon alone."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import structlog

from daemon.errors import UnknownJobError
from daemon.inbox.intake import Intake
from daemon.jobs.endings import Endings
from daemon.jobs.job import FINISHED, Job, State
from daemon.jobs.journal import Journal
from daemon.processes.protocol import Failure
from freeal.errors import FreealError

_log = structlog.get_logger(__name__)

CANCEL = "cancel"
RETRY = "retry"


def ask(journal: Journal, job_id: str, request: str) -> Job:
    """Write a request down. Raises `UnknownJobError` when there is no such job or it cannot do this now."""
    job = journal.job(job_id)
    if request == CANCEL and job.state in FINISHED:
        raise UnknownJobError(f"job {job_id} is {job.state}: there is nothing to cancel")
    if request == RETRY and job.state not in {State.FAILED, State.CANCELLED, State.PAUSED}:
        raise UnknownJobError(f"job {job_id} is {job.state}: there is nothing to retry", hint=_way_on(job))
    journal.note(job_id, request=request)
    return job


def _way_on(job: Job) -> str | None:
    if job.state is not State.DONE:
        return None
    if job.partial:
        return "it stopped at its budget: raise it and drop both files again; answers already paid for are kept"
    return "set `force: true` in its spec and drop both files again"


class Requests:
    """Carries requests out. `obey` blocks on the disk: call it in a thread."""

    def __init__(self, journal: Journal, intake: Intake, endings: Endings) -> None:
        self._journal = journal
        self._intake = intake
        self._endings = endings

    def is_cancelled(self, job_id: str) -> bool:
        """Whether a job under way is to be given up rather than resumed."""
        return self._journal.job(job_id).request == CANCEL

    def obey(self, running: Mapping[str, anyio.Event]) -> list[anyio.Event]:
        """Do what was asked of jobs that do not run; for those that do, the events that stop them, to be set on the
        event loop."""
        stops = []
        for job in self._journal.requests():
            if job.request == CANCEL and job.id in running:
                stops.append(running[job.id])
                continue
            try:
                self._obey(job)
                _log.info("a request was carried out", job=job.id, request=job.request)
            except (OSError, FreealError) as problem:
                self._journal.note(job.id, request="")
                _log.error("a request could not be carried out", job=job.id, request=job.request, problem=str(problem))
        return stops

    def _obey(self, job: Job) -> None:
        if job.request == CANCEL and job.state not in FINISHED:
            self._intake.settle(job)
            self._endings.cancel(job)
        elif job.request == RETRY and job.state is State.PAUSED:
            self._journal.move(job.id, State.CLAIMED, reason="", until=None, request="", partial=False)
        elif job.request == RETRY and job.state in {State.FAILED, State.CANCELLED}:
            fields, error = self._intake.take_back(job)
            job = self._journal.move(job.id, State.CLAIMED, **fields, error=None, request="", attempts=0, origin="[]")
            if error is not None:
                self._endings.fail(job, Failure.of(error))
        else:
            self._journal.note(job.id, request="")
            _log.info("a request came too late", job=job.id, request=job.request, state=str(job.state))
