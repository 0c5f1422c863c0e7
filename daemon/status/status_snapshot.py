"""`status`: what the journal and the folders say. Reads only; works beside a running daemon and without one."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.config import Settings
from daemon.errors import DamagedJournalError
from daemon.host import clock, instance_lock
from daemon.host.clock import Clock
from daemon.inbox.inbox_scan import Scanner
from daemon.inbox.pairing import Waiting
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import RUNNING, Job, State
from daemon.journal.journal import FILE_NAME, Journal
from daemon.journal.prediction_record import Prediction
from daemon.limits.daily_spend import Purse
from daemon.outbox.model_shelf import shelves
from daemon.outbox.publish_prediction import ROWS_ENDINGS
from daemon.recovery import damaged_journal, set_aside_work
from freeal.money.prices import without_price
from freeal.table.file_formats import data_stem

STALE_SECONDS = 60.0
"""A daemon that gave no sign of life for this long hangs."""
LATE_SECONDS = 60.0
"""How much longer than `watch.rescan_seconds` the last look at the folders may be ago."""
MEGABYTE = 1_000_000
FINISHED_SHOWN = 10
WARNED_SHOWN = 3
STANDS_STILL = "stands still until a service is started, which goes on with it"
"""Of a job that was under way when its service ended."""
_LEAST_SECONDS = 1.0
"""A rate over less than this says nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """A snapshot. `content` is what `--json` prints."""

    healthy: bool
    content: dict[str, Any]


def collect_status(settings: Settings, time: Clock) -> Status:
    """Look at journal and folders from outside. Raises `JournalError`; a damaged journal is a problem it tells of."""
    waiting = Scanner(settings).scan(time.steady()).waiting
    running = instance_lock.is_instance_running(settings.state)
    if not (settings.state / FILE_NAME).is_file():
        return status_snapshot(settings, time, journal=None, waiting=waiting, running=running)
    try:
        with Journal(settings.state, time, may_convert=not running) as journal:
            return status_snapshot(settings, time, journal=journal, waiting=waiting, running=running)
    except DamagedJournalError as damage:
        seen = status_snapshot(settings, time, journal=None, waiting=waiting, running=running).content
        return Status(healthy=False, content=seen | {"healthy": False, "problems": [*seen["problems"], str(damage)]})


def status_snapshot(
    settings: Settings, time: Clock, *, journal: Journal | None, waiting: Sequence[Waiting], running: bool = True
) -> Status:
    """The status from inside, at the cost of a few rows of the journal: for whoever has it open and has scanned.

    `journal` is None where no daemon ever ran; `running` says whether one does now.
    """
    now = time.wall()
    beat = journal.heartbeat() if journal else None
    health = journal.health() if journal and running else {}
    free_mb = _free_mb(settings)
    problems = _status_problems(settings, health, running=running, beat=beat, now=now, free_mb=free_mb)
    content = {
        "healthy": not problems,
        "problems": problems,
        "warnings": damaged_journal.warnings_of_journals(settings.state)
        + set_aside_work.warnings_of_work(settings.work),
        "daemon": {
            "running": running,
            "pid": beat[0] if running and beat else None,
            "last_sign_of_life": clock.iso(beat[1]) if beat else None,
            "scan_age_seconds": health.get("scan_age_seconds"),
            "stopping": bool(health.get("stopping")),
        },
        "watcher": health.get("watcher"),
        "lanes": {
            "device": health.get("device", {}).get("holder"),
            "waiting_for_device": health.get("device", {}).get("queue", []),
            "waiting_for_batch": health.get("batches", []),
            "predictions_waiting": health.get("predictions_waiting", 0),
        },
        "jobs": [_status_of_job(job, now, running=running) for job in (journal.unfinished() if journal else ())],
        "finished": [
            _status_of_job(job, now, running=running) for job in (journal.finished(FINISHED_SHOWN) if journal else ())
        ],
        "predictions": {"claimed": 0, "done": 0, "failed": 0} | (journal.prediction_counts() if journal else {}),
        "predicting": [
            _status_of_prediction(one, running=running) for one in (journal.claimed_predictions() if journal else ())
        ],
        "drifting": [
            _status_of_drift(one, settings) for one in (journal.warned_predictions(WARNED_SHOWN) if journal else ())
        ],
        "waiting": _status_of_waiting(waiting, health),
        "models": [
            {"name": shelf.name, "version": shelf.current, "folder": str(shelf.folder)}
            for shelf in shelves(settings.models)
        ],
        **_status_of_money(journal, time),
        "model_without_price": without_price(settings.llm),
        "daily_budget_usd": settings.llm.daily_budget_usd,
        "free_disk_mb": free_mb,
    }
    return Status(not problems, content)


def _status_problems(
    settings: Settings,
    health: Mapping[str, Any],
    *,
    running: bool,
    beat: tuple[int, float] | None,
    now: float,
    free_mb: int | None,
) -> list[str]:
    """What keeps the service from its work, each with what to do."""
    problems = []
    if not running:
        problems.append("no daemon is running: start it with `python -m daemon`, or `systemctl start freeal`")
    elif beat is None or now - beat[1] > STALE_SECONDS:
        problems.append("the daemon gives no sign of life: look at its log, and restart it")
    if stuck := health.get("problem"):
        problems.append(f"{stuck}: look at its log, and restart it")
    problems += [f"{fault}: see the log" for fault in health.get("faults", ())]
    age = health.get("scan_age_seconds")
    if age is not None and age > settings.watch.rescan_seconds + LATE_SECONDS:
        problems.append(f"the folders were last looked at {age:.0f} seconds ago: see the log")
    if deaf := (health.get("watcher") or {}).get("problem"):
        problems.append(f"new files are found late, by looking: {deaf}")
    if free_mb is not None and free_mb < settings.jobs.min_free_disk_mb:
        problems.append(
            f"only {free_mb} MB of disk are free (jobs.min_free_disk_mb): make room, jobs go on by themselves"
        )
    return problems


def _status_of_waiting(waiting: Sequence[Waiting], health: Mapping[str, Any]) -> list[dict[str, str]]:
    """Files in the folders with the reason, those that the service could not take among them."""
    found = {entry.name: entry.reason for entry in waiting}
    found |= {entry["file"]: entry["reason"] for entry in health.get("refused", ())}
    return [{"file": name, "reason": reason} for name, reason in found.items()]


def _status_of_money(journal: Journal | None, time: Clock) -> dict[str, float]:
    purse = Purse(journal, time) if journal else None
    return {
        "spent_today_usd": round(purse.spent_today_usd(), 6) if purse else 0.0,
        "unconfirmed_today_usd": round(purse.unconfirmed_today_usd(), 6) if purse else 0.0,
    }


def _free_mb(settings: Settings) -> int | None:
    folders = [folder for folder in (settings.state, settings.models) if folder.is_dir()]
    return min((shutil.disk_usage(folder).free // MEGABYTE for folder in folders), default=None)


def _status_of_job(job: Job, now: float, *, running: bool) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": job.id,
        "model": job.name,
        "kind": "corrections" if is_correction(job.id) else "training",
        "file": job.csv_name,
        "state": str(job.state),
        "round": job.round,
        "rounds": job.rounds,
        "stage": None,
        "done": None,
        "total": None,
        "per_second": None,
        "overall": None,
        "remaining_seconds": None,
        "until": None if job.until is None or job.state is not State.PAUSED else clock.iso(job.until),
        "reason": job.reason or None,
        "error": job.error,
        "request": job.request or None,
        "partial": job.partial,
        "setbacks": job.setbacks.split(),
        "usd": round(job.usd, 6),
        "calls": job.calls,
        "attempts": job.attempts,
        "created": clock.iso(job.created_at),
        "updated": clock.iso(job.updated_at),
    }
    if job.state in RUNNING:
        known |= {"stage": job.stage, "done": job.done, "total": job.total, "overall": job.overall}
        # nobody works on it where no service runs: neither a speed nor a time left is true then
        known |= pace_of_job(job, now) if running else {"reason": job.reason or STANDS_STILL}
    return known


def pace_of_job(job: Job, now: float) -> dict[str, float | None]:
    """`per_second` of the stage under way and `remaining_seconds` of the whole job; None where it cannot be told."""
    seconds = now - job.stage_since
    done = job.done - job.stage_first
    per_second = done / seconds if job.stage_since and done > 0 and seconds >= _LEAST_SECONDS else None
    left = None if job.ends_at is None else max(0.0, job.ends_at - now)
    return {
        "per_second": None if per_second is None else round(per_second, 3),
        "remaining_seconds": None if left is None else round(left, 1),
    }


def _status_of_prediction(prediction: Prediction, *, running: bool) -> dict[str, Any]:
    known = {
        "id": prediction.id,
        "model": prediction.model,
        "file": prediction.csv_name,
        "done": prediction.done,
        "total": prediction.total,
        "per_second": round(prediction.rows_per_second, 1) or None,
        "remaining_seconds": None if prediction.remaining_seconds is None else round(prediction.remaining_seconds, 1),
    }
    return known if running else known | {"per_second": None, "remaining_seconds": None}


def _status_of_drift(prediction: Prediction, settings: Settings) -> dict[str, Any]:
    """A labelled table that does not look like what its model was trained on (freeal/prediction/drift.py)."""
    places = [f"{prediction.model}/predictions/{data_stem(prediction.csv_name)}{ending}" for ending in ROWS_ENDINGS]
    file = next((place for place in places if (settings.models / place).exists()), places[0])
    return {
        "id": prediction.id,
        "model": prediction.model,
        "file": file,
        "warnings": prediction.warnings.splitlines(),
    }
