"""How a job ends: files to where people look for them, then the journal's last word, then the work folder goes.

Each may be repeated after a crash; the row is finished only after the renames.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path, PurePath
from typing import Any

import anyio.to_thread
import structlog

from daemon.config import DEFAULT_FILE, Settings
from daemon.host import disk_errors, own_command
from daemon.host.clock import Clock
from daemon.inbox.claim_pair import origins_of
from daemon.jobs import certification_notice
from daemon.jobs.cancelled_job_batches import Batches
from daemon.journal import job_json_file
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.work_folder import Workplace
from daemon.outbox import durable_file_moves, move_to_done_or_failed
from daemon.outbox.model_shelf import Shelf
from daemon.processes.message_protocol import Failure
from freeal.results import pilot_json_file
from freeal.table.file_formats import data_stem

_log = structlog.get_logger(__name__)

PUBLISHING = "publishing"
"""The stage of a job whose run is over and whose result only has to be put in its place."""
CANCELLED = "Cancelled"
"""The kind of failure a cancelled job has."""


class Endings:
    """Ends jobs. Its methods block on the disk: call them in a thread."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        clock: Clock,
        *,
        batches: Batches | None = None,
        config_file: Path | None = None,
    ) -> None:
        """`batches` cancels those of a cancelled job; None where there can be none. `config_file` is what the settings
        were read from, or looked for in vain; default: beside the inbox."""
        self._config_file = config_file or settings.inbox.parent / DEFAULT_FILE
        self._settings = settings
        self._batches = batches
        self._journal = journal
        self._clock = clock

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings
        if self._batches is not None:
            self._batches.adopt(settings)

    def publish_job(self, job: Job) -> Job:
        """From a finished run to `done`: the version on the shelf, the inputs in done/."""
        place = Workplace(self._settings, job.id)
        if (certified := certification_notice.certification_in(place.output)) is not None:
            return self._finish_certified(job, certified)
        shelf = Shelf(self._settings.models, job.name)
        if place.output.is_dir():
            durable_file_moves.sweep_cut_off_moves(place.output)  # it becomes the version as it stands
            job_json_file.write_job_json(place.output, job)
        shelf.publish_version(
            place.output,
            job_id=job.id,
            stem=_annotated_stem_of_job(job, shelf.version(job.id), place.output),
            keep_versions=self._settings.jobs.keep_versions,
        )
        shelf.discard_pilot(job.id)
        later = self._inputs_written_since(job)
        self._archive_inputs(place, "the result is published, but")
        job = self._journal.move(job.id, State.DONE, reason=later)
        shutil.rmtree(place.folder, ignore_errors=True)
        return job

    def _finish_certified(self, job: Job, words: str) -> Job:
        """A sheet was read, and its figures stand in the version's files: nothing is to be published."""
        place = Workplace(self._settings, job.id)
        self._archive_inputs(place, "the sheet is read, but")
        job = self._journal.move(job.id, State.DONE, reason=words)
        shutil.rmtree(place.folder, ignore_errors=True)
        return job

    def show_pilot_to_owner(self, job: Job) -> Job:
        """From a finished pilot to `waiting`: its folder where people look, its inputs kept for the rest."""
        place, shelf = Workplace(self._settings, job.id), Shelf(self._settings.models, job.name)
        if place.output.is_dir():
            durable_file_moves.sweep_cut_off_moves(place.output)
        shelf.show_pilot(place.output, job_id=job.id)
        go = own_command.own_command_line(f"go {job.id}", config_file=self._config_file)
        reason = f"its pilot is over: look at {shelf.pilot(job.id)}, then `{go}`, or make an empty file `go` there"
        return self._journal.move(job.id, State.WAITING, reason=reason, until=None, partial=False)

    @staticmethod
    def _archive_inputs(place: Workplace, what_is_done: str) -> None:
        with disk_errors.waiting_for_folder(f"{what_is_done} its inputs cannot be put in done/"):
            move_to_done_or_failed.move_to_done(place.inputs, place.done)

    def _inputs_written_since(self, job: Job) -> str:
        """What to say of inputs that somebody went on writing after they had stood still and were taken; else empty."""
        place = Workplace(self._settings, job.id)
        changed = [origin.name for origin in origins_of(job) if origin.differs_from(place.inputs / origin.name)]
        if not changed:
            return ""
        _log.warning("an input was written to after it had been taken", job=job.id, files=", ".join(changed))
        return f"{', '.join(changed)} was written to after it had been taken: drop it again, what came late is left out"

    def finish_cut_off(self, job: Job) -> Job | None:
        """The rest of an ending that a kill or a full disk cut off; None for a job that has not come to its end."""
        place = Workplace(self._settings, job.id)
        report = move_to_done_or_failed.error_report_in(place.failed)
        if report is not None:
            move_to_done_or_failed.finish_move_to_failed(
                place.inputs, place.failed, report, then=_advice_after_failure(job, self._config_file)
            )
            return self._close_failed_job(job, report)
        if PUBLISHING not in {job.stage, str(job.state)} or not self.has_finished_output(job):
            return None
        if not job.past_pilot and self._pilot_figures(job).is_file():
            if job.state is not State.PUBLISHING:
                self._journal.move(job.id, State.CLAIMED, reason="", until=None)
                job = self._journal.move(job.id, State.PUBLISHING)
            return self.show_pilot_to_owner(job)
        if job.state is not State.PUBLISHING:
            self._journal.move(job.id, State.CLAIMED, reason="", until=None)
            job = self._journal.move(job.id, State.PUBLISHING)
        return self.publish_job(job)

    def clear_half_made_output(self, job: Job) -> None:
        """Before a run: away with what an earlier run of the same job left half-made.

        Raises `OSError` or `RefusedFileError` where its result could not be published: better now than once it is paid.
        """
        shelf = Shelf(self._settings.models, job.name)
        shelf.check_writable()
        shutil.rmtree(Workplace(self._settings, job.id).output, ignore_errors=True)
        shelf.discard(job.id)

    def has_finished_output(self, job: Job) -> bool:
        """Whether a finished run lies ready, so that only the publishing is left."""
        place = Workplace(self._settings, job.id)
        is_written = (place.output / "metrics.json").is_file() or certification_notice.certification_in(
            place.output
        ) is not None
        is_there = is_written or self._version_of(job).is_dir()
        return is_there or (not job.past_pilot and self._pilot_figures(job).is_file())

    def _pilot_figures(self, job: Job) -> Path:
        """Where the figures of a finished pilot lie, before and after it is shown."""
        ready = Workplace(self._settings, job.id).output / pilot_json_file.FILE_NAME
        return (
            ready
            if ready.is_file()
            else Shelf(self._settings.models, job.name).pilot(job.id) / pilot_json_file.FILE_NAME
        )

    def finish_already_done(self, job: Job, key: str) -> Job | None:
        """End a job whose content was done before and still stands on the shelf; None when it must run."""
        if job.force:
            return None
        for earlier in self._journal.done_with_key(key):
            version, shelf = self._version_of(earlier), Shelf(self._settings.models, job.name)
            if version.is_dir() and (not is_correction(job.id) or shelf.current == earlier.id):
                place = Workplace(self._settings, job.id)
                self._archive_inputs(place, f"it is done already as {earlier.id}, but")
                shelf.discard_pilot(job.id)
                reason = f"already done as {earlier.id}"
                job = self._journal.move(job.id, State.DONE, reason=reason, name=earlier.name)
                shutil.rmtree(place.folder, ignore_errors=True)
                _log.info("the same content is done already: nothing to do", job=job.id, earlier=earlier.id)
                return job
        return None

    def fail_job(self, job: Job, failure: Failure) -> Job:
        """Inputs and reason to failed/; the state of the rounds stays for a retry."""
        return self._move_inputs_to_failed(job, failure)

    async def cancel_job(self, job: Job) -> Job:
        """The user's wish: batches under way are cancelled too, inputs go to failed/, nothing is published. Awaits the
        provider, and blocks on the disk in a thread of its own."""
        problems = await self._batches.cancel_batches(job) if self._batches is not None else []
        failure = Failure(CANCELLED, "cancelled by the user", hint="; ".join(problems) or None)
        return await anyio.to_thread.run_sync(self._cancelled, job, failure)

    def _cancelled(self, job: Job, failure: Failure) -> Job:
        Shelf(self._settings.models, job.name).discard(job.id)
        Shelf(self._settings.models, job.name).discard_pilot(job.id)
        return self._move_inputs_to_failed(job, failure)

    def fail_job_in_place(self, job: Job, failure: Failure) -> Job:
        """The last resort, where even setting the inputs aside is a fault: they stay in the work folder, the journal
        says so, and `retry` finds them there."""
        inputs = Workplace(self._settings, job.id).inputs
        hint = f"its files lie in {inputs}; `python -m daemon retry {job.id}` takes them from there"
        failure = dataclasses.replace(failure, hint=hint)
        return self._ended(job, move_to_done_or_failed.error_report_of(failure, subject=job.id, now=self._clock.wall()))

    def _ended(self, job: Job, report: dict[str, Any]) -> Job:
        state = State.CANCELLED if report["kind"] == CANCELLED else State.FAILED
        return self._journal.move(job.id, state, error=report, until=None, reason="", request="", stage="")

    def _move_inputs_to_failed(self, job: Job, failure: Failure) -> Job:
        place = Workplace(self._settings, job.id)
        now = self._clock.wall()
        report = move_to_done_or_failed.move_to_failed(
            place.inputs,
            place.failed,
            failure,
            subject=job.id,
            then=_advice_after_failure(job, self._config_file),
            now=now,
        )
        return self._close_failed_job(job, report)

    def _close_failed_job(self, job: Job, report: dict[str, Any]) -> Job:
        """The inputs are in failed/, with the reason beside them."""
        place = Workplace(self._settings, job.id)
        spent = (place.inputs, place.output) if place.rounds.is_dir() else (place.folder,)
        for folder in spent:
            shutil.rmtree(folder, ignore_errors=True)
        return self._ended(job, report)

    def _version_of(self, job: Job) -> Path:
        return Shelf(self._settings.models, job.name).version(job.id)


def _annotated_stem_of_job(job: Job, *folders: Path) -> str:
    """What annotated/<stem>.csv is called: as the CSV its rows came from, which corrections are not."""
    if is_correction(job.id):
        for folder in folders:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                name = json.loads((folder / "run.json").read_text(encoding="utf-8"))["input"]["file"]
                return data_stem(PurePath(str(name)).name)
    return data_stem(job.csv_name)


def _advice_after_failure(job: Job, config_file: Path) -> str:
    retry = f"`{own_command.own_command_line(f'retry {job.id}', config_file=config_file)}`"
    if is_correction(job.id):
        return f"mend the copy here and run {retry}, or drop it in corrections/ again"
    return (
        f"mend the cause (a mistake in the CSV or its spec: in the copies here) and run {retry}, "
        "or drop both files in the inbox again"
    )
