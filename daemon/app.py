"""The one place that knows every class: builds the service from settings and runs it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import anyio
from rich.console import Console

from daemon import config, disk, lock
from daemon.clock import Clock
from daemon.config import Loaded, Settings
from daemon.errors import DamagedJournalError
from daemon.inbox.intake import Intake
from daemon.inbox.notes import Notes
from daemon.inbox.pairing import Waiting
from daemon.inbox.scanner import Scanner
from daemon.inbox.watcher import Watcher
from daemon.jobs import rescue, runner
from daemon.jobs.batches import Batches
from daemon.jobs.endings import Endings
from daemon.jobs.job import Job
from daemon.jobs.journal import Journal
from daemon.jobs.prediction import Prediction
from daemon.jobs.purse import Purse
from daemon.jobs.recovery import Recovery
from daemon.jobs.requests import Requests
from daemon.jobs.runner import Runner
from daemon.live_view import TerminalView
from daemon.notify import Notifier
from daemon.outbox.publish import make_folder
from daemon.processes import predict_lane
from daemon.processes.predict_lane import PredictLane
from daemon.reload import Reload
from daemon.service import Service
from daemon.view import LogView, View
from daemon.web.opening import opened
from daemon.web.snapshot import Looks
from freeal.assembly import resolve_provider
from freeal.errors import ConfigError, Where
from freeal.settings import LlmSettings


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What one run of the service came to."""

    exit_code: int
    jobs: tuple[Job, ...]
    predictions: tuple[Prediction, ...]
    waiting: tuple[Waiting, ...]


def serve(
    loaded: Loaded, *, once: bool, console: Console, clock: Clock | None = None, programs: Programs | None = None
) -> Report:
    """Run the service in this process until it ends. Raises `AlreadyRunningError`, `ConfigError`, `JournalError`.

    A journal that turns out to be damaged ends the run, and another begins with a journal built anew.
    """
    time = clock or Clock()
    prepare_folders(loaded.settings)
    state = loaded.settings.state
    with lock.held(state), _view(console, once=once) as view:
        while True:
            try:
                return _serve(loaded, once=once, time=time, view=view, programs=programs or Programs())
            except (DamagedJournalError, ExceptionGroup) as error:
                damage = rescue.damage_in(error)
                if damage is None:
                    raise
                rescue.set_aside(state, time, damage)


def _serve(loaded: Loaded, *, once: bool, time: Clock, view: View, programs: Programs) -> Report:
    with rescue.open_sound(loaded.settings.state, time) as journal:
        begun = time.wall()
        service = build(loaded, once=once, journal=journal, time=time, view=view, programs=programs)
        looks = Looks(
            settings=lambda: service.settings,
            waiting=lambda: service.waiting,
            scanned_at=lambda: service.scanned_at,
            watch=lambda: service.watch_state,
        )
        with opened(loaded, once=once, journal=journal, clock=time, looks=looks) as beside:
            anyio.run(service.run, *beside)
        finished = journal.predictions_ended_since(begun)
        failed = sum(one.state == "failed" for one in finished)
        return Report(
            exit_code=service.exit_code(failed),
            jobs=tuple(sorted(service.outcomes.values(), key=lambda job: (job.created_at, job.id))),
            predictions=tuple(finished),
            waiting=service.waiting,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Programs:
    """The modules the processes run; tests put scripted ones in their place."""

    train: str = runner.MODULE
    predict: str = predict_lane.MODULE


def build(
    loaded: Loaded, *, once: bool, journal: Journal, time: Clock, view: View, programs: Programs | None = None
) -> Service:
    """The service with all its parts."""
    programs = programs or Programs()
    settings = loaded.settings
    intake = Intake(settings, journal, time)
    endings = Endings(settings, journal, time, batches=Batches(settings, key_folder=loaded.base))
    job_runner = Runner(
        settings=settings,
        key_folder=loaded.base,
        journal=journal,
        intake=intake,
        endings=endings,
        time=time,
        view=view,
        provider_of=lambda llm: _provider(llm, loaded.base),
        module=programs.train,
    )
    return Service(
        settings=settings,
        once=once,
        journal=journal,
        time=time,
        scanner=Scanner(settings),
        watcher=Watcher(settings.watch, time),
        notes=Notes(settings),
        intake=intake,
        endings=endings,
        runner=job_runner,
        recovery=Recovery(settings, journal, purse=Purse(journal, time), time=time),
        requests=Requests(journal, intake, endings),
        lane=PredictLane(settings, journal, time, view, module=programs.predict),
        notifier=Notifier(),
        view=view,
        reload=Reload(functools.partial(config.load, loaded.file)),
    )


def _provider(llm: LlmSettings, key_folder: Path) -> str:
    provider, _ = resolve_provider(llm, api_key=None, environ=os.environ, key_folder=key_folder)
    return provider


def prepare_folders(settings: Settings) -> None:
    """Make what is missing. Raises `ConfigError` naming the key of a folder that cannot be made."""
    for key, folder in {"inbox": settings.inbox, "models": settings.models, "state": settings.work}.items():
        try:
            make_folder(folder)
        except OSError as cause:
            if trouble := disk.trouble_of(cause):
                raise trouble from cause
            taken = cause.errno in {errno.EEXIST, errno.ENOTDIR}
            problem = "is not a folder" if taken else f"cannot be made: {cause.strerror}"
            hint = "choose another folder, or mend the permissions"
            raise ConfigError(problem, where=Where(file=folder, key=key), hint=hint) from cause
    settings.state.chmod(0o700)  # claimed texts and answers are nobody else's business


@contextlib.contextmanager
def _view(console: Console, *, once: bool) -> Iterator[View]:
    view: View = TerminalView(console) if once and console.is_terminal else LogView()
    try:
        yield view
    finally:
        view.close()
