"""After a restart: what the journal and the folders say was begun is brought to a state the service can go on from."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import filelock
import structlog

from daemon.config import Settings
from daemon.host import clock
from daemon.host.clock import Clock
from daemon.jobs.job_completion import CANCELLED, PUBLISHING
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.limits import unreported_spend
from daemon.limits.daily_spend import Purse
from daemon.outbox import archive_inputs, durable_file_moves
from daemon.outbox.model_shelf import Shelf, shelves
from daemon.recovery import rebuild_from_folders, work_without_journal

_log = structlog.get_logger(__name__)

PREDECESSOR_SECONDS = 10.0
"""How long to wait for a process of a daemon that was killed: the end of its stdin stops it."""


class Recovery:
    """Run once, before anything is taken. Unfinished jobs need no more than their turn: the runner settles the claim,
    resumes the rounds, or finishes the publishing."""

    def __init__(self, settings: Settings, journal: Journal, *, purse: Purse, time: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._purse = purse
        self._clock = time

    def run(self) -> None:
        """Find what is not written down, wake the paused, name the unfinished, clear what belongs to nobody.

        May be cut off and run again. Raises `DiskError` or `OSError` where a disk does not let it.
        """
        if self._journal.is_empty():
            self._rebuild()
        self._adopt_work()
        for job in self._journal.unfinished():
            self._resume(job)
        self._purse.release_finished()
        unreported_spend.book_all(self._settings.answers, journal=self._journal, purse=self._purse)
        for prediction in self._journal.claimed_predictions():
            self._settle_prediction(prediction)
        self._sweep()
        self._clear_work()
        if gone := self._journal.prune():
            _log.info("old entries were struck out of the journal", entries=gone)

    def _rebuild(self) -> None:
        """Fill a journal that is new: beside a fresh start, one that was lost. All at once, so it may be cut off."""
        open_ = {
            folder.name
            for folder in rebuild_from_folders.folders(self._settings.work)
            if rebuild_from_folders.visible(folder / "input")
        }
        jobs = [job for job in rebuild_from_folders.jobs(self._settings) if job.id not in open_]
        predictions = [one for one in rebuild_from_folders.predictions(self._settings) if one.id not in open_]
        spend = rebuild_from_folders.spend(self._settings.answers, day=clock.day(self._clock.wall()))
        self._journal.fill(jobs, predictions, spend=spend)
        if jobs or predictions or spend:
            usd = round(sum(entry[2] for entry in spend), 6)
            _log.warning(
                "the journal was empty: finished work was entered as the folders tell of it, today's spend as the "
                "answer store does",
                jobs=len(jobs),
                predictions=len(predictions),
                spent_today_usd=usd,
            )

    def _adopt_work(self) -> None:
        for folder in rebuild_from_folders.folders(self._settings.work):
            if self._journal.has_job(folder.name) or self._journal.has_prediction(folder.name):
                continue
            begun = work_without_journal.claimed(self._settings, folder)
            if isinstance(begun, Job):
                self._journal.add(dataclasses.replace(begun, usd=self._purse.spent_by_usd(begun.id)))
            elif begun is not None:
                self._journal.add_prediction(begun)
            if begun is not None:
                _log.warning("work the journal did not know goes on", id=begun.id, file=begun.csv_name)

    def _resume(self, job: Job) -> None:
        if job.state is State.PAUSED:
            # whoever restarts us may have raised the cap or freed the disk: worth one try
            partial = job.partial and job.stage == PUBLISHING
            self._journal.move(job.id, State.CLAIMED, reason="", until=None, partial=partial)
        self._release(job)
        _log.info("an unfinished job goes on", job=job.id, state=str(job.state), round=job.round)

    def _release(self, job: Job) -> None:
        """Give back what a run of the daemon before us reserved, unless a process of it still works and spends."""
        place = Workplace(self._settings, job.id)
        if not place.folder.is_dir():
            self._purse.release(job.id)
            return
        lock = filelock.FileLock(place.folder / "process.lock", timeout=PREDECESSOR_SECONDS)
        try:
            with lock:
                self._purse.release(job.id)
        except filelock.Timeout:
            _log.warning("a process of a former daemon still works on a job", job=job.id)

    def _settle_prediction(self, prediction: Prediction) -> None:
        """Write down the end of a prediction that had come to it; one that was not taken yet is struck out."""
        inputs = Workplace(self._settings, prediction.id).inputs
        shelf = Shelf(self._settings.models, prediction.model)
        done, failed = (shelf.folder / end / prediction.id for end in ("done", "failed"))
        report = archive_inputs.report_in(failed)
        if report is not None:
            then = f"mend it and drop it in {shelf.folder / 'predict'} again"
            archive_inputs.finish_failed(inputs, failed, report, then=then)
            state = "cancelled" if report["kind"] == CANCELLED else "failed"
            self._journal.finish_prediction(prediction.id, state=state, error=report)
        elif (inputs / prediction.csv_name).exists():
            return
        elif (done / prediction.csv_name).exists():
            self._journal.finish_prediction(
                prediction.id, state="done", rows=rebuild_from_folders.rows_of(shelf, prediction.id)
            )
        else:
            self._journal.forget_prediction(prediction.id)

    def _sweep(self) -> None:
        """Delete what cut-off writes left, wherever we write."""
        durable_file_moves.sweep(self._settings.inbox)
        for job in self._journal.unfinished():
            place = Workplace(self._settings, job.id)
            for folder in (place.done, place.failed):
                durable_file_moves.sweep(folder)
        for shelf in shelves(self._settings.models):
            shelf.sweep()
        for prediction in self._journal.claimed_predictions():
            folder = Shelf(self._settings.models, prediction.model).folder
            for end in ("done", "failed"):
                durable_file_moves.sweep(folder / end / prediction.id)

    def _clear_work(self) -> None:
        for folder in sorted(self._settings.work.iterdir()):
            if not self._is_needed(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _is_needed(self, folder: Path) -> bool:
        if self._journal.has_job(folder.name):
            if self._journal.job(folder.name).state not in {State.DONE, State.CANCELLED}:
                return True
        elif any(one.id == folder.name for one in self._journal.claimed_predictions()):
            return True
        inputs = Workplace(self._settings, folder.name).inputs
        if rebuild_from_folders.visible(inputs):
            _log.warning("inputs that belong to no job are left where they are", folder=str(inputs))
            return True
        return False
