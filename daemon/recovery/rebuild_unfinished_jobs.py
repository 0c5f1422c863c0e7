"""Work folders no journal knows: what was begun in them goes on, because what was claimed must not be lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import structlog

from daemon.config import Settings
from daemon.inbox.claim_pair import csv_digest, load_dropped_spec
from daemon.jobs.finish_job import PUBLISHING
from daemon.journal import job_json_file
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job, State
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox import durable_file_moves
from daemon.outbox.model_shelf import shelves
from daemon.recovery import rebuild_finished_jobs
from freeal.errors import FreealError

_log = structlog.get_logger(__name__)


def unfinished_work_in(settings: Settings, folder: Path) -> Job | Prediction | None:
    """What a work folder was begun as; None where that cannot be told, or nothing of it is left.

    Spec and CSV say all that is needed; rounds and paid answers are found again by the run. Raises `OSError`.
    """
    place = Workplace(settings, folder.name)
    if (one := rebuild_finished_jobs.prediction_of_folder(folder, place.inputs, state="claimed")) is not None:
        return one
    if (job := _unpublished_job(settings, place)) is not None:
        return job
    if not rebuild_finished_jobs.visible_names(place.inputs):
        return None
    for name in rebuild_finished_jobs.visible_names(place.done):
        durable_file_moves.move(
            place.done / name, place.inputs / name
        )  # half archived, and nothing says as what: taken back
    job = rebuild_finished_jobs.job_of_folder(
        folder, *rebuild_finished_jobs.visible_names(place.inputs), *rebuild_finished_jobs.visible_names(place.failed)
    )
    return job and _with_spec_and_digest(job, place)


def _unpublished_job(settings: Settings, place: Workplace) -> Job | None:
    """A job of which only the publishing was left."""
    for folder in (place.output, *(shelf.version(place.id) for shelf in shelves(settings.models))):
        job = job_json_file.read_job_json(folder)
        if job is not None and job.id == place.id:
            return dataclasses.replace(job, state=State.PUBLISHING, stage=PUBLISHING)
    return None


def _with_spec_and_digest(job: Job, place: Workplace) -> Job:
    def found_in(name: str) -> Path:
        return next(folder / name for folder in (place.inputs, place.failed) if (folder / name).exists())

    job = dataclasses.replace(job, csv_sha256=csv_digest(found_in(job.csv_name)))
    if is_correction(job.id):
        return job
    spec = found_in(job.spec_name)
    try:
        loaded, _ = load_dropped_spec(spec, csv_name=job.csv_name)
    except FreealError as problem:  # its run says so again, and fails
        _log.info("the spec of a job that was found cannot be used", job=job.id, problem=str(problem))
        return job
    return dataclasses.replace(job, name=loaded.name, spec=loaded.model_dump_json(), force=loaded.force)
