"""The one place that knows every class: builds the service from settings and runs it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import anyio
import structlog
from rich.console import Console

from daemon import config
from daemon.config import Loaded
from daemon.errors import DamagedJournalError, StateLostError
from daemon.host import disk_errors, instance_lock
from daemon.host.clock import Clock
from daemon.host.systemd_notify import Notifier
from daemon.inbox.claim_pair import Intake
from daemon.inbox.file_events import Watcher
from daemon.inbox.inbox_scan import Scanner
from daemon.inbox.missing_spec_note import Notes
from daemon.inbox.pairing import Waiting
from daemon.jobs import job_runner
from daemon.jobs.cancel_and_retry import Requests
from daemon.jobs.cancelled_job_batches import Batches
from daemon.jobs.finish_job import Endings
from daemon.jobs.job_notification import JobNotifier
from daemon.jobs.job_runner import Runner
from daemon.journal.job_record import Job
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.limits.daily_spend import Purse
from daemon.outbox.publish_prediction import require_prediction_output
from daemon.predictions import predict_lane
from daemon.predictions.predict_lane import PredictLane
from daemon.recovery import damaged_journal
from daemon.recovery.restart_recovery import Recovery
from daemon.service.config_reload import Reload
from daemon.service.service_folders import prepare_folders
from daemon.service.service_loop import Service
from daemon.terminal.progress_bars import TerminalView
from daemon.terminal.progress_log import LogView, View
from daemon.web.live.page_snapshot import Looks
from daemon.web.web_enabled import open_page_if_enabled
from freeal.job.resolve_provider import network_provider, resolve_providers
from freeal.settings import LlmSettings

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What one run of the service came to."""

    exit_code: int
    jobs: tuple[Job, ...]
    predictions: tuple[Prediction, ...]
    waiting: tuple[Waiting, ...]
    open_jobs: int = 0
    """How many jobs the next run goes on with."""


def serve(
    loaded: Loaded, *, once: bool, console: Console, clock: Clock | None = None, programs: Programs | None = None
) -> Report:
    """Run the service in this process until it ends. Raises `AlreadyRunningError`, `ConfigError`, `JournalError`.

    A journal that turns out to be damaged ends the run, and another begins with a journal built anew; a state folder
    that was removed or replaced likewise, after the lock of the one that is there now was had.
    """
    time = clock or Clock()
    require_prediction_output(loaded.settings)
    with _open_view(console, once=once) as view:
        while True:
            prepare_folders(loaded.settings)
            with instance_lock.hold_instance_lock(loaded.settings.state) as lock:
                try:
                    return _serve_with_journal(
                        loaded,
                        once=once,
                        time=time,
                        view=view,
                        programs=programs or Programs(),
                        check_lock=lock.check_lock,
                    )
                except (DamagedJournalError, StateLostError, ExceptionGroup) as error:
                    _raise_unless_app_can_serve_again(error, loaded.settings.state, time)


def _raise_unless_app_can_serve_again(error: Exception, state: Path, time: Clock) -> None:
    """Raise it again unless another run, with a new journal or state folder, may do better."""
    if (damage := damaged_journal.journal_damage_in(error)) is not None:
        damaged_journal.set_journal_aside(state, time, damage)
    elif lost := next((one for one in disk_errors.error_family(error) if isinstance(one, StateLostError)), None):
        _log.error("the service begins anew", problem=str(lost))
    else:
        raise error


def _serve_with_journal(
    loaded: Loaded,
    *,
    once: bool,
    time: Clock,
    view: View,
    programs: Programs,
    check_lock: Callable[[], None],
) -> Report:
    with damaged_journal.open_sound_journal(loaded.settings.state, time) as journal:
        begun = time.wall()
        service = build_service(
            loaded, once=once, journal=journal, time=time, view=view, programs=programs, check_lock=check_lock
        )
        looks = Looks(
            settings=lambda: service.settings,
            waiting=lambda: service.waiting,
            scanned_at=lambda: service.scanned_at,
            watch=lambda: service.watch_state,
        )
        with open_page_if_enabled(loaded, once=once, journal=journal, clock=time, looks=looks) as beside:
            anyio.run(service.run, *beside)
        finished = journal.predictions_ended_since(begun)
        failed = sum(one.state == "failed" for one in finished)
        return Report(
            exit_code=service.exit_code(failed),
            jobs=tuple(sorted(service.outcomes.values(), key=lambda job: (job.created_at, job.id))),
            predictions=tuple(finished),
            waiting=service.waiting,
            open_jobs=len(journal.unfinished()),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Programs:
    """The modules the processes run; tests put scripted ones in their place."""

    train: str = job_runner.MODULE
    predict: str = predict_lane.MODULE


def build_service(
    loaded: Loaded,
    *,
    once: bool,
    journal: Journal,
    time: Clock,
    view: View,
    programs: Programs | None = None,
    check_lock: Callable[[], None] = lambda: None,
) -> Service:
    """The service with all its parts. `check_lock` raises `StateLostError` once the state folder is no longer ours."""
    programs = programs or Programs()
    settings = loaded.settings
    intake = Intake(settings, journal, time)
    endings = Endings(
        settings, journal, time, batches=Batches(settings, key_folder=loaded.base), config_file=loaded.file
    )
    job_runner = Runner(
        settings=settings,
        key_folder=loaded.base,
        journal=journal,
        intake=intake,
        endings=endings,
        time=time,
        view=view,
        provider_of=lambda several: _provider(several, loaded.base),
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
        requests=Requests(settings, journal, intake, endings),
        lane=PredictLane(settings, journal, time, view, module=programs.predict, key_folder=loaded.base),
        notifier=Notifier(),
        told=JobNotifier(settings),
        view=view,
        reload=Reload(functools.partial(config.load, loaded.file)),
        check_lock=check_lock,
    )


def _provider(several: Sequence[LlmSettings], key_folder: Path) -> str:
    return network_provider(resolve_providers(several, api_key=None, environ=os.environ, key_folder=key_folder))


@contextlib.contextmanager
def _open_view(console: Console, *, once: bool) -> Iterator[View]:
    view: View = TerminalView(console) if once and console.is_terminal else LogView()
    try:
        yield view
    finally:
        view.close()
