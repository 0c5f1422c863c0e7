"""After a restart: what the journal says was begun is brought to a state the service can go on from."""

from __future__ import annotations

import shutil

import filelock
import structlog

from daemon.config import Settings
from daemon.jobs.job import Job, State
from daemon.jobs.journal import Journal
from daemon.jobs.purse import Purse
from daemon.jobs.workplace import Workplace

_log = structlog.get_logger(__name__)

PREDECESSOR_SECONDS = 10.0
"""How long to wait for a process of a daemon that was killed: the end of its stdin stops it."""


class Recovery:
    """Run once, before anything is taken. Unfinished jobs need no more than their turn: the runner settles the claim,
    resumes the rounds, or finishes the publishing."""

    def __init__(self, settings: Settings, journal: Journal, purse: Purse) -> None:
        self._settings = settings
        self._journal = journal
        self._purse = purse

    def run(self) -> None:
        """Wake the paused, name the unfinished, clear what belongs to nobody."""
        for job in self._journal.unfinished():
            if job.state is State.PAUSED:
                # whoever restarts us may have raised the cap or freed the disk: worth one try
                self._journal.move(job.id, State.CLAIMED, reason="", until=None, partial=False)
            self._release(job)
            _log.info("an unfinished job goes on", job=job.id, state=str(job.state), round=job.round)
        self._clear_work()

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

    def _clear_work(self) -> None:
        kept = {job.id for job in self._journal.jobs() if job.state not in {State.DONE, State.CANCELLED}}
        kept |= {prediction.id for prediction in self._journal.predictions() if prediction.state == "claimed"}
        for folder in sorted(self._settings.work.iterdir()):
            if folder.name in kept:
                continue
            inputs = Workplace(self._settings, folder.name).inputs
            if inputs.is_dir() and any(inputs.iterdir()):
                _log.warning("inputs of a job the journal does not know are left where they are", folder=str(inputs))
            else:
                shutil.rmtree(folder, ignore_errors=True)
