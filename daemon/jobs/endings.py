"""How a job ends: files to where people look for them, then the journal's last word, then the work folder goes.

Each may be repeated after a crash; the row is finished only after the renames.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePath

import structlog

from daemon.clock import Clock
from daemon.config import Settings
from daemon.jobs.batches import Batches
from daemon.jobs.job import Job, State
from daemon.jobs.journal import Journal
from daemon.jobs.workplace import Workplace
from daemon.outbox import archive
from daemon.outbox.shelf import Shelf
from daemon.processes.protocol import Failure

_log = structlog.get_logger(__name__)


class Endings:
    """Ends jobs. Its methods block on the disk: call them in a thread."""

    def __init__(self, settings: Settings, journal: Journal, clock: Clock, *, batches: Batches | None = None) -> None:
        """`batches` cancels those of a cancelled job; None where there can be none."""
        self._settings = settings
        self._batches = batches
        self._journal = journal
        self._clock = clock

    def publish(self, job: Job) -> Job:
        """From a finished run to `done`: the version on the shelf, the inputs in done/."""
        place = Workplace(self._settings, job.id)
        shelf = Shelf(self._settings.models, job.name)
        shelf.publish(
            place.output,
            job_id=job.id,
            stem=PurePath(job.csv_name).stem,
            keep_versions=self._settings.jobs.keep_versions,
        )
        archive.to_done(place.inputs, place.done)
        job = self._journal.move(job.id, State.DONE)
        shutil.rmtree(place.folder, ignore_errors=True)
        return job

    def make_ready(self, job: Job) -> None:
        """Before a run: away with what an earlier run of the same job left half-made.

        Raises `OSError` or `RefusedFileError` where its result could not be published: better now than once it is paid.
        """
        shelf = Shelf(self._settings.models, job.name)
        shelf.check_writable()
        shutil.rmtree(Workplace(self._settings, job.id).output, ignore_errors=True)
        shelf.discard(job.id)

    def has_output(self, job: Job) -> bool:
        """Whether a finished run lies ready, so that only the publishing is left."""
        place = Workplace(self._settings, job.id)
        return (place.output / "metrics.json").is_file() or self._version_of(job).is_dir()

    def already_done(self, job: Job, key: str) -> Job | None:
        """End a job whose content was done before and still stands on the shelf; None when it must run."""
        if job.force:
            return None
        for earlier in self._journal.done_with_key(key):
            if self._version_of(earlier).is_dir():
                place = Workplace(self._settings, job.id)
                archive.to_done(place.inputs, place.done)
                job = self._journal.move(job.id, State.DONE, reason=f"the same as {earlier.id}")
                shutil.rmtree(place.folder, ignore_errors=True)
                _log.info("the same content is done already: nothing to do", job=job.id, earlier=earlier.id)
                return job
        return None

    def fail(self, job: Job, failure: Failure) -> Job:
        """Inputs and reason to failed/; the state of the rounds stays for a retry."""
        return self._set_aside(job, failure, State.FAILED)

    def cancel(self, job: Job) -> Job:
        """The user's wish: batches under way are cancelled too, inputs go to failed/, nothing is published."""
        problems = self._batches.cancel(job) if self._batches is not None else []
        failure = Failure("Cancelled", "cancelled by the user", hint="; ".join(problems) or None)
        return self._set_aside(job, failure, State.CANCELLED)

    def _set_aside(self, job: Job, failure: Failure, state: State) -> Job:
        place = Workplace(self._settings, job.id)
        report = archive.to_failed(
            place.inputs,
            place.failed,
            failure,
            subject=job.id,
            then=f"mend the cause (a mistake in the CSV or its spec: in the copies here) and run "
            f"`python -m daemon retry {job.id}`, or drop both files in the inbox again",
            now=self._clock.wall(),
        )
        for emptied in (place.inputs, place.output):
            shutil.rmtree(emptied, ignore_errors=True)
        return self._journal.move(job.id, state, error=report, until=None, reason="", request="")

    def _version_of(self, job: Job) -> Path:
        return Shelf(self._settings.models, job.name).version(job.id)
