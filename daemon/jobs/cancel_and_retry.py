"""`cancel` and `retry`: asked for on the command line, written in the journal, done by the daemon alone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import anyio
import structlog

from daemon.errors import UnknownJobError
from daemon.host import disk_errors
from daemon.inbox.claim_pair import Intake
from daemon.jobs.job_completion import Endings
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import FINISHED, Job, State
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.processes.message_protocol import Failure
from freeal.errors import FreealError

_log = structlog.get_logger(__name__)

CANCEL = "cancel"
RETRY = "retry"
NEAREST_SHOWN = 3


def ask(journal: Journal, job_id: str, request: str) -> Job | Prediction:
    """Write a request about a job or a prediction down. Raises `UnknownJobError` when there is no such one or it cannot
    do this now."""
    prediction = journal.prediction(job_id)
    if prediction is not None:
        return _ask_prediction(journal, prediction, request)
    try:
        job = journal.job(job_id)
    except UnknownJobError as error:
        raise UnknownJobError(error.problem, hint=_nearest(journal, job_id) or error.hint) from error
    if request == CANCEL and job.state in FINISHED:
        raise UnknownJobError(f"job {job_id} is {job.state}: there is nothing to cancel")
    if request == RETRY and job.state not in {State.FAILED, State.CANCELLED, State.PAUSED}:
        raise UnknownJobError(f"job {job_id} is {job.state}: there is nothing to retry", hint=_way_on(job))
    journal.note(job_id, request=request)
    return job


def _ask_prediction(journal: Journal, prediction: Prediction, request: str) -> Prediction:
    """The lane obeys before it gives anybody the next slice."""
    if request == RETRY:
        raise UnknownJobError(
            f"{prediction.id} is a prediction: it costs nothing and is not retried",
            hint=f"drop its file in the predict folder of {prediction.model!r} again",
        )
    if prediction.state != "claimed":
        raise UnknownJobError(f"prediction {prediction.id} is {prediction.state}: there is nothing to cancel")
    journal.note_prediction(prediction.id, request=request)
    return prediction


def _nearest(journal: Journal, job_id: str) -> str | None:
    """The ids somebody may have meant: a part of one, as it is copied from a path or a log line, or a mistyped one."""
    ids = [one.id for one in journal.claimed_predictions()] + [job.id for job in reversed(journal.jobs())]
    meant = [known for known in ids if job_id and (job_id in known or known in job_id)]
    meant += difflib.get_close_matches(job_id, ids, n=NEAREST_SHOWN, cutoff=0.6)
    found = list(dict.fromkeys(meant))[:NEAREST_SHOWN]
    return f"did you mean {' or '.join(found)}?" if found else None


def _way_on(job: Job) -> str | None:
    if job.state is not State.DONE:
        return None
    if job.partial:
        return "it stopped at its budget: raise it and drop both files again; answers already paid for are kept"
    if is_correction(job.id):
        return "drop its file in corrections/ again"
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
                if disk_errors.trouble_of(problem):  # it stays written down, and is tried again
                    _log.warning("a request waits for a disk", job=job.id, request=job.request, problem=str(problem))
                    continue
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
            job = self._journal.move(
                job.id, State.CLAIMED, **fields, error=None, request="", attempts=0, setbacks="", origin="[]"
            )
            if error is not None:
                self._endings.fail(job, Failure.of(error))
        else:
            self._journal.note(job.id, request="")
            _log.info("a request came too late", job=job.id, request=job.request, state=str(job.state))
