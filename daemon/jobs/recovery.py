"""After a restart: what the journal says was begun is brought to a state the service can go on from."""

from __future__ import annotations

import shutil

import structlog

from daemon.config import Settings
from daemon.jobs.job import State
from daemon.jobs.journal import Journal
from daemon.jobs.workplace import Workplace

_log = structlog.get_logger(__name__)


class Recovery:
    """Run once, before anything is taken. Unfinished jobs need no more than their turn: the runner settles the claim,
    resumes the rounds, or finishes the publishing."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal

    def run(self) -> None:
        """Wake the paused, name the unfinished, clear what belongs to nobody."""
        for job in self._journal.unfinished():
            if job.state is State.PAUSED:
                # whoever restarts us may have raised the cap or freed the disk: worth one try
                self._journal.move(job.id, State.CLAIMED, reason="", until=None, partial=False)
            _log.info("an unfinished job goes on", job=job.id, state=str(job.state), round=job.round)
        self._clear_work()

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
