"""One look at everything the page shows. Plain data, shared by all who look."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from daemon.config import Settings
from daemon.host.clock import Clock, day
from daemon.inbox.file_events import WatchState
from daemon.inbox.pairing import Waiting
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.journal_reader import Day, Records
from daemon.journal.prediction_record import Prediction
from daemon.status.status_snapshot import status_snapshot
from daemon.web.finished_models import Gallery, Model

FINISHED_SHOWN = 20
FAILED_SHOWN = 20
PREDICTIONS_SHOWN = 10
DAYS_SHOWN = 7


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """Whether the service does what it should; `problems` and `warnings` are sentences, empty when all is well."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    watch: WatchState
    free_disk_mb: int
    scan_age_seconds: float | None
    """Since the last look at the folders; None before the first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Money:
    """What was spent: per day (newest first), today, in all."""

    days: tuple[Day, ...]
    today: Day
    cap_usd: float | None
    total_usd: float


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of things at `at` (seconds since 1970)."""

    at: float
    jobs: tuple[Job, ...]
    failed: tuple[Job, ...]
    failed_in_all: int
    """Those that nobody has dismissed; `failed` are the newest of them."""
    finished: tuple[Job, ...]
    job_counts: dict[State, int]
    predictions: tuple[Prediction, ...]
    prediction_counts: dict[str, int]
    models: tuple[Model, ...]
    waiting: tuple[Waiting, ...]
    money: Money
    health: Health
    status: Mapping[str, Any]
    """What `python -m daemon status --json` prints."""


@dataclasses.dataclass(frozen=True, slots=True)
class Looks:
    """What the service knows just now: its settings, the files that wait, when (steady seconds) it looked, how files
    are noticed."""

    settings: Callable[[], Settings]
    waiting: Callable[[], tuple[Waiting, ...]]
    scanned_at: Callable[[], float | None]
    watch: Callable[[], WatchState]


class Observer:
    """Takes snapshots. Blocks on the disk: call it in a thread."""

    def __init__(self, clock: Clock, looks: Looks, *, journal: Journal, records: Records, gallery: Gallery) -> None:
        self._clock, self._looks = clock, looks
        self._journal, self._records, self._gallery = journal, records, gallery
        self._read: tuple[int, str, _Read] | None = None

    def take_snapshot(self) -> Snapshot:
        """Look now. The page's own part of the journal is read again only where somebody wrote into it."""
        now = self._clock.wall()
        settings, waiting = self._looks.settings(), self._looks.waiting()
        read = self._from_journal(day(now))
        status = status_snapshot(settings, self._clock, journal=self._journal, waiting=waiting).content
        return Snapshot(
            at=now,
            jobs=read.jobs,
            failed=read.failed,
            failed_in_all=read.failed_in_all,
            finished=read.finished,
            job_counts=read.job_counts,
            predictions=read.predictions,
            prediction_counts=read.prediction_counts,
            models=self._gallery.models(),
            waiting=waiting,
            money=Money(read.days, read.today, settings.llm.daily_budget_usd, read.total_usd),
            health=self._page_health(status),
            status=status,
        )

    def _from_journal(self, today: str) -> _Read:
        revision = self._records.revision()
        if self._read is None or self._read[:2] != (revision, today):
            self._read = (revision, today, _read_records(self._records, today))
        return self._read[2]

    def _page_health(self, status: Mapping[str, Any]) -> Health:
        scanned_at = self._looks.scanned_at()
        return Health(
            problems=tuple(status["problems"]),
            warnings=tuple(str(one) for one in status["warnings"]),
            watch=self._looks.watch(),
            free_disk_mb=status["free_disk_mb"] or 0,
            scan_age_seconds=None if scanned_at is None else max(0.0, self._clock.steady() - scanned_at),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    jobs: tuple[Job, ...]
    failed: tuple[Job, ...]
    failed_in_all: int
    finished: tuple[Job, ...]
    job_counts: dict[State, int]
    predictions: tuple[Prediction, ...]
    prediction_counts: dict[str, int]
    days: tuple[Day, ...]
    today: Day
    total_usd: float


def _read_records(records: Records, today: str) -> _Read:
    days = records.days_of_spend(DAYS_SHOWN)
    return _Read(
        jobs=records.unfinished(),
        failed=records.failed(FAILED_SHOWN),
        failed_in_all=records.failed_count(),
        finished=records.finished(FINISHED_SHOWN, states=[State.DONE, State.CANCELLED]),
        job_counts=records.job_counts(),
        predictions=records.predictions(PREDICTIONS_SHOWN),
        prediction_counts=records.prediction_counts(),
        days=days,
        today=next((one for one in days if one.day == today), Day(today, 0.0, 0.0)),
        total_usd=records.spent_usd(),
    )
