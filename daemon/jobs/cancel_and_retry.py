"""`cancel`, `retry`, `go`, `dismiss`: asked for on the command line or the page, written in the journal; what takes
work is done by the daemon alone."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.errors import ChangedFileError, RefusedFileError, UnknownJobError
from daemon.host.fault_guard import Fault, Guard
from daemon.inbox.claim_pair import Intake, csv_digest, load_dropped_spec
from daemon.jobs.finish_job import CANCELLED, Endings
from daemon.journal import job_history
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import FINISHED, Job, State
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox import durable_file_moves, move_to_done_or_failed
from daemon.outbox.model_shelf import Shelf
from daemon.processes.message_protocol import Failure
from freeal.errors import FreealError, SpecError, Where

_log = structlog.get_logger(__name__)

CANCEL = "cancel"
RETRY = "retry"
DISMISS = "dismiss"
GO = "go"
NEAREST_SHOWN = 3


def write_request(journal: Journal, job_id: str, request: str) -> Job | Prediction:
    """Write a request about a job or a prediction down. Raises `UnknownJobError` when there is no such one or it cannot
    do this now."""
    prediction = journal.prediction(job_id)
    if prediction is not None:
        return _request_cancel_of_prediction(journal, prediction, request)
    try:
        job = journal.job(job_id)
    except UnknownJobError as error:
        raise UnknownJobError(error.problem, hint=_nearest_ids(journal, job_id) or error.hint) from error
    if request == CANCEL and job.state in FINISHED:
        raise UnknownJobError(f"job {job_id} is {job.state}: there is nothing to cancel")
    if request == RETRY and job.state not in {State.FAILED, State.CANCELLED, State.PAUSED}:
        raise UnknownJobError(
            f"job {job_id} is {job.state}: there is nothing to retry", hint=_hint_instead_of_retry(job)
        )
    if request == GO and job.state is not State.WAITING:
        raise UnknownJobError(f"job {job_id} is {job.state}: no pilot of it waits for a word")
    if request == DISMISS and job.state is not State.FAILED:
        raise UnknownJobError(f"job {job_id} is {job.state}: there is nothing to dismiss")
    if request == DISMISS:
        journal.note(job_id, dismissed=True)
    else:
        journal.note(job_id, request=request)
    return job


def _request_cancel_of_prediction(journal: Journal, prediction: Prediction, request: str) -> Prediction:
    """The lane obeys before it gives anybody the next slice."""
    if request != CANCEL:
        raise UnknownJobError(
            f"{prediction.id} is a prediction: it costs nothing, and can only be cancelled",
            hint=f"drop its file in the predict folder of {prediction.model!r} again",
        )
    if prediction.state != "claimed":
        raise UnknownJobError(f"prediction {prediction.id} is {prediction.state}: there is nothing to cancel")
    journal.note_prediction(prediction.id, request=request)
    return prediction


def _nearest_ids(journal: Journal, job_id: str) -> str | None:
    """The ids somebody may have meant: a part of one, as it is copied from a path or a log line, or a mistyped one."""
    ids = [one.id for one in journal.claimed_predictions()] + [job.id for job in reversed(journal.jobs())]
    meant = [known for known in ids if job_id and (job_id in known or known in job_id)]
    meant += difflib.get_close_matches(job_id, ids, n=NEAREST_SHOWN, cutoff=0.6)
    found = list(dict.fromkeys(meant))[:NEAREST_SHOWN]
    return f"did you mean {' or '.join(found)}?" if found else None


def _hint_instead_of_retry(job: Job) -> str | None:
    """What a person may do where a `retry` is refused; None where there is nothing to do."""
    if job.state is State.WAITING:
        return f"`python -m daemon go {job.id}` goes on with the rest"
    if job.state is not State.DONE:
        return None
    if job.partial:
        return "it stopped at its budget: raise it and drop both files again; answers already paid for are kept"
    if is_correction(job.id):
        return "drop its file in corrections/ again"
    return "set `force: true` in its spec and drop both files again"


def request_go_where_told(jobs: Sequence[Job], journal: Journal, settings: Settings) -> None:
    """Ask to go on with each of these jobs whose owner made a file `go` in its pilot's folder."""
    for job in jobs:
        waits = job.state is State.WAITING and not job.request
        if waits and (Shelf(settings.models, job.name).pilot(job.id) / GO).is_file():
            write_request(journal, job.id, GO)


class Requests:
    """Carries requests out."""

    def __init__(self, settings: Settings, journal: Journal, intake: Intake, endings: Endings) -> None:
        self._settings = settings
        self._journal = journal
        self._intake = intake
        self._endings = endings

    def is_cancelled(self, job_id: str) -> bool:
        """Whether a job under way is to be given up rather than resumed."""
        return self._journal.job(job_id).request == CANCEL

    async def obey_request(self, job: Job) -> Fault | None:
        """Do what was asked of a job that does not run. What the machine keeps from being done is given back: it stays
        written down, for another try; what cannot be done is struck out, and the log says why."""
        with Guard("a request", job=job.id, request=job.request) as guard:
            if job.request == CANCEL and job.state not in FINISHED:
                await anyio.to_thread.run_sync(self._settle, job)
                await self._endings.cancel_job(job)
            else:
                await anyio.to_thread.run_sync(self._retry_or_go, job)
            _log.info("a request was carried out", job=job.id, request=job.request)
        if (fault := guard.fault) is None:
            return None
        if fault.passing is not None or (job.request == CANCEL and not fault.is_ours):
            _log.warning("a request waits", job=job.id, request=job.request, problem=str(fault.error))
            return fault
        problem = str(fault.error)
        _log.error("a request could not be carried out", job=job.id, request=job.request, problem=problem)
        with Guard("striking a request out", job=job.id) as striking:
            await anyio.to_thread.run_sync(self._strike_request_out, job)
        return striking.fault

    def _settle(self, job: Job) -> None:
        try:
            self._intake.settle_claim(job)
        except (RefusedFileError, ChangedFileError) as problem:  # it is given up with what there is of it
            _log.info("a cancelled job's files are not all there", job=job.id, problem=str(problem))

    def _strike_request_out(self, job: Job) -> None:
        """A job that was to be given up must not go on spending because its files cannot be put aside."""
        if job.request == CANCEL and job.state not in FINISHED:
            self._endings.fail_job_in_place(job, Failure(CANCELLED, "cancelled by the user"))
        else:
            self._journal.note(job.id, request="")

    def _retry_or_go(self, job: Job) -> None:
        if job.request == RETRY and job.state is State.PAUSED:
            self._journal.move(job.id, State.CLAIMED, reason="", until=None, request="", partial=False)
        elif job.request == GO and job.state is State.WAITING:
            self._journal.move(
                job.id, State.CLAIMED, reason="", request="", past_pilot=True, stage="", attempts=0, setbacks=""
            )
            job_history.forget(self._journal, job.id)
        elif job.request == RETRY and job.state in {State.FAILED, State.CANCELLED}:
            fields, error = take_inputs_back(job, self._settings)
            if fields.get("spec", job.spec) != job.spec:  # the pilot that its owner saw is one of something else
                fields |= {"past_pilot": False, "stage": ""}
            job = self._journal.move(
                job.id,
                State.CLAIMED,
                **fields,
                error=None,
                request="",
                dismissed=False,
                attempts=0,
                setbacks="",
                origin="[]",
            )
            if error is not None:
                self._endings.fail_job(job, Failure.of(error))
        else:
            self._journal.note(job.id, request="")
            _log.info("a request came too late", job=job.id, request=job.request, state=str(job.state))


def take_inputs_back(job: Job, settings: Settings) -> tuple[dict[str, object], FreealError | None]:
    """Take the inputs of a job to retry out of failed/, back into the work folder, and read them anew.

    Gives the fields of the job that follow from them, and what is wrong with the spec, if it still is.
    """
    place = Workplace(settings, job.id)
    for name in filter(None, (job.csv_name, job.spec_name)):
        if not (place.inputs / name).exists() and not (place.failed / name).is_file():
            raise RefusedFileError("is no longer there", where=Where(file=place.failed / name), hint="drop both anew")
    durable_file_moves.make_folder(place.inputs)
    for entry in move_to_done_or_failed.own_entries(place.failed):
        if entry.name in {move_to_done_or_failed.REPORT, move_to_done_or_failed.PROSE}:
            entry.unlink()
        elif entry.is_file() and not entry.is_symlink():
            durable_file_moves.move(entry, place.inputs / entry.name)
    if place.failed.is_dir() and not place.failed.is_symlink() and not any(place.failed.iterdir()):
        place.failed.rmdir()  # what else somebody put there stays there
    digest = csv_digest(place.inputs / job.csv_name)
    if is_correction(job.id):
        return {"csv_sha256": digest}, None
    try:
        spec, _ = load_dropped_spec(place.inputs / job.spec_name, csv_name=job.csv_name)
    except SpecError as error:
        return {"csv_sha256": digest, "spec": ""}, error
    if spec.name != job.name:
        where = Where(file=place.inputs / job.spec_name, key="name")
        return {}, SpecError("another name makes it another job", where=where, hint="drop both files in the inbox")
    return {"csv_sha256": digest, "spec": spec.model_dump_json(), "force": spec.force}, None
