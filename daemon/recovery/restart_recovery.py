"""After a restart: what the journal and the folders say was begun is brought to a state the service can go on from."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import structlog

from daemon.config import Settings
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.inbox import claim_file, file_sightings
from daemon.inbox.inbox_scan import PREDICT
from daemon.jobs.finish_job import CANCELLED, PUBLISHING
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.limits import unreported_spend
from daemon.limits.daily_spend import Purse, daily_spend_by_bills
from daemon.limits.spend_beside_jobs import SpendBesideJobs
from daemon.outbox import durable_file_moves, move_to_done_or_failed
from daemon.outbox.model_shelf import Shelf, shelves
from daemon.outbox.publish_prediction import rows_of_published_prediction
from daemon.recovery import rebuild_finished_jobs, rebuild_unfinished_jobs, set_aside_work

_log = structlog.get_logger(__name__)

PREDECESSOR_SECONDS = 10.0
"""How long to wait for a process of a daemon that was killed: the end of its stdin stops it."""
READERS = 16
"""Threads that wait for the disk, not for a processor."""


class ShelfNames:
    """What lies on the shelves, each folder listed once: asking for each of ten thousand takes minutes."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._known: dict[tuple[str, str], tuple[Path, frozenset[str]]] = {}

    def find_on_shelf(self, model: str, place: str, name: str) -> Path | None:
        """`name` in the folder `place` of a model's shelf, if it lay there when that was first asked for."""
        if (listed := self._known.get((model, place))) is None:
            folder = Shelf(self._models, model).folder / place
            listed = self._known[model, place] = folder, frozenset(file_sightings.look_around(folder))
        folder, names = listed
        return folder / name if name in names else None


def _read_ahead(paths: Sequence[Path]) -> None:
    """Have the kernel look all of them up, several at once: ten thousand folders read one after the other from a disk
    that has just been mounted take as long as ten thousand times its latency. What is wrong with one is met later."""
    with ThreadPoolExecutor(READERS) as readers:
        for reader in range(READERS):
            readers.submit(_look_up, paths[reader::READERS])


def _look_up(paths: Sequence[Path]) -> None:
    for path in paths:
        os.path.lexists(path)


class Recovery:
    """Run once, before anything is taken. Unfinished jobs need no more than their turn: the runner settles the claim,
    resumes the rounds, or finishes the publishing."""

    def __init__(self, settings: Settings, journal: Journal, *, purse: Purse, time: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._purse = purse
        self._clock = time
        self._waited_until = time.steady()

    def run(self) -> None:
        """Find what is not written down, wake the paused, name the unfinished, clear what belongs to nobody.

        May be cut off and run again. Raises `ResourceError` where the machine does not let it; whatever else goes wrong
        with one item is that item's, and the others are seen to.
        """
        self._waited_until = self._clock.steady() + PREDECESSOR_SECONDS
        with self._guard_item("filling the journal", "finished work"):
            if self._journal.is_empty():
                self._rebuild_journal()
        self._adopt_unknown_work()
        for job in self._journal.unfinished():
            with self._guard_item("resuming a job", job.id):
                self._resume_job(job)
        with self._guard_item("booking what was asked beside jobs", "the answer store"):
            SpendBesideJobs(self._journal, self._clock).book_all_beside_jobs(self._settings.answers)
        with self._guard_item("booking what was not reported", "the answer store"):
            unreported_spend.book_all_unreported(self._settings.answers, journal=self._journal, purse=self._purse)
        names, claimed = ShelfNames(self._settings.models), self._journal.claimed_predictions()
        _read_ahead([Workplace(self._settings, one.id).inputs / one.csv_name for one in claimed])
        for prediction in claimed:
            self._recover_prediction(prediction, names)
        with self._guard_item("giving money back", "all that ended"):
            self._purse.release_finished()
        claimed = self._journal.claimed_predictions()
        self._sweep_cut_off_writes(claimed)
        self._clear_work({one.id for one in claimed})
        with self._guard_item("pruning", "the journal"):
            if gone := self._journal.prune():
                _log.info("old entries were struck out of the journal", entries=gone)

    @contextlib.contextmanager
    def _guard_item(self, unit: str, name: str) -> Iterator[None]:
        """One item under guard: what passes is raised, for the whole to be tried again; anything else is logged."""
        with Guard(unit, item=name) as guard:
            yield
        if guard.fault is not None:
            if guard.fault.passing is not None:
                raise guard.fault.passing
            problem = str(guard.fault.error)
            _log.warning("an item of the restart is left as it is", unit=unit, item=name, problem=problem)

    def _rebuild_journal(self) -> None:
        """Fill a journal that is new: beside a fresh start, one that was lost. All at once, so it may be cut off."""
        open_ = {
            folder.name
            for folder in rebuild_finished_jobs.folders(self._settings.work)
            if rebuild_finished_jobs.visible_names(folder / "input")
        }
        jobs = [job for job in rebuild_finished_jobs.finished_jobs(self._settings) if job.id not in open_]
        predictions = [one for one in rebuild_finished_jobs.finished_predictions(self._settings) if one.id not in open_]
        spend = daily_spend_by_bills(self._settings.answers, self._clock.wall())
        self._journal.fill_from_folders(jobs, predictions, spend=spend)
        if jobs or predictions or spend:
            usd = round(sum(entry[2] for entry in spend), 6)
            _log.warning(
                "the journal was empty: finished work was entered as the folders tell of it, today's spend as the "
                "answer store does",
                jobs=len(jobs),
                predictions=len(predictions),
                spent_today_usd=usd,
            )

    def _adopt_unknown_work(self) -> None:
        claimed = {one.id for one in self._journal.claimed_predictions()}  # asked once: there may be ten thousand
        for name in rebuild_finished_jobs.visible_names(self._settings.work):
            if name in claimed or self._journal.has_job(name) or self._journal.has_prediction(name):
                continue
            folder = self._settings.work / name
            if folder.is_symlink() or not folder.is_dir():
                continue
            with Guard("taking up unknown work", folder=str(folder)) as guard:
                self._adopt_work_folder(folder)
            if guard.fault is None:
                continue
            if guard.fault.passing is not None:
                raise guard.fault.passing
            # looked at again at each start, it would be in the way for ever
            kept = set_aside_work.set_work_aside(folder)
            _log.error("work that cannot be read is set aside", folder=str(kept), problem=str(guard.fault.error))

    def _adopt_work_folder(self, folder: Path) -> None:
        begun = rebuild_unfinished_jobs.unfinished_work_in(self._settings, folder)
        if isinstance(begun, Job):
            self._journal.add(dataclasses.replace(begun, usd=self._purse.spent_by_usd(begun.id)))
        elif begun is not None:
            self._journal.add_prediction(begun)
        if begun is not None:
            _log.warning("work the journal did not know goes on", id=begun.id, file=begun.csv_name)

    def _resume_job(self, job: Job) -> None:
        if job.state is State.PAUSED:
            # whoever restarts us may have raised the cap or freed the disk: worth one try
            partial = job.partial and job.stage == PUBLISHING
            self._journal.move(job.id, State.CLAIMED, reason="", until=None, partial=partial)
        self._release_reserved_money(job)
        if job.state is State.WAITING:
            return  # for its owner, not for us
        _log.info("an unfinished job goes on", job=job.id, state=str(job.state), round=job.round)

    def _release_reserved_money(self, job: Job) -> None:
        """Give back what a run of the daemon before us reserved, unless a process of it still works and spends."""
        place = Workplace(self._settings, job.id)
        if not place.folder.is_dir():
            self._purse.release(job.id)
            return
        patience = max(0.0, self._waited_until - self._clock.steady())  # for all of them together
        lock = filelock.FileLock(place.folder / "process.lock", timeout=patience)
        try:
            with lock:
                self._purse.release(job.id)
        except filelock.Timeout:
            _log.warning("a process of a former daemon still works on a job", job=job.id)

    def _recover_prediction(self, prediction: Prediction, names: ShelfNames) -> None:
        with Guard("settling a prediction", prediction=prediction.id) as guard:
            self._settle_prediction(prediction, names)
        if guard.fault is None:
            return
        if guard.fault.passing is not None:
            raise guard.fault.passing
        # the lane has it next: whatever it meets there, it sets the input aside or waits with the reason
        _log.warning("a prediction cannot be settled", prediction=prediction.id, problem=str(guard.fault.error))

    def _settle_prediction(self, prediction: Prediction, names: ShelfNames) -> None:
        """Write down the end of a prediction that had come to it; one that was not taken yet is struck out."""
        inputs = Workplace(self._settings, prediction.id).inputs
        failed = names.find_on_shelf(prediction.model, "failed", prediction.id)
        report = move_to_done_or_failed.error_report_in(failed) if failed is not None else None
        if failed is not None and report is not None:
            then = f"mend it and drop it in {failed.parents[1] / PREDICT} again"
            move_to_done_or_failed.finish_move_to_failed(inputs, failed, report, then=then)
            state = "cancelled" if report["kind"] == CANCELLED else "failed"
            self._journal.finish_prediction(prediction.id, state=state, error=report)
        elif (taken := inputs / prediction.csv_name).exists():
            source = names.find_on_shelf(prediction.model, PREDICT, prediction.csv_name)
            if source is not None and claim_file.is_copy_of_taken(taken, of=source):
                source.unlink()  # a copy across file systems was cut off before its end
        elif (done := names.find_on_shelf(prediction.model, "done", prediction.id)) and (
            done / prediction.csv_name
        ).exists():
            shelf = Shelf(self._settings.models, prediction.model)
            rows = rows_of_published_prediction(shelf, prediction.id)
            self._journal.finish_prediction(prediction.id, state="done", rows=rows)
        else:
            self._journal.forget_prediction(prediction.id)

    def _sweep_cut_off_writes(self, claimed: Sequence[Prediction]) -> None:
        """Delete what cut-off writes left, wherever we write."""
        folders, names = [self._settings.inbox], ShelfNames(self._settings.models)  # settling has moved some
        for job in self._journal.unfinished():
            place = Workplace(self._settings, job.id)
            folders += [place.done, place.failed]
        for one in claimed:
            folders += [found for end in ("done", "failed") if (found := names.find_on_shelf(one.model, end, one.id))]
        for folder in folders:
            with self._guard_item("sweeping", str(folder)):
                durable_file_moves.sweep_cut_off_moves(folder)
        for shelf in shelves(self._settings.models):
            with self._guard_item("sweeping", str(shelf.folder)):
                shelf.sweep()

    def _clear_work(self, claimed: AbstractSet[str]) -> None:
        for folder in sorted(self._settings.work.iterdir()):
            with self._guard_item("clearing work", str(folder)):
                if not self._is_work_needed(folder, claimed):
                    shutil.rmtree(folder, ignore_errors=True)

    def _is_work_needed(self, folder: Path, claimed: AbstractSet[str]) -> bool:
        if folder.name in claimed or set_aside_work.is_set_aside(folder):
            return True
        is_known = self._journal.has_job(folder.name)
        if is_known and self._journal.job(folder.name).state not in {State.DONE, State.CANCELLED}:
            return True
        inputs = Workplace(self._settings, folder.name).inputs
        if rebuild_finished_jobs.visible_names(inputs):
            _log.warning("inputs that belong to no job are left where they are", folder=str(inputs))
            return True
        return False
