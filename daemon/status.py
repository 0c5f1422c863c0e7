"""`status`: what the journal and the folders say. Reads only; works beside a running daemon and without one."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from daemon import clock, lock
from daemon.clock import Clock
from daemon.config import Settings
from daemon.id_column import id_column
from daemon.inbox.scanner import Scanner
from daemon.jobs.job import FINISHED, RUNNING, Job, State
from daemon.jobs.journal import FILE_NAME, Journal
from daemon.jobs.purse import Purse
from daemon.outbox.shelf import shelves

STALE_SECONDS = 60.0
"""A daemon that gave no sign of life for this long hangs."""
MEGABYTE = 1_000_000
FINISHED_SHOWN = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """A snapshot. `content` is what `--json` prints."""

    healthy: bool
    content: dict[str, Any]


def collect(settings: Settings, time: Clock) -> Status:
    """Look at journal and folders. Raises `JournalError`."""
    problems = []
    jobs, predictions, money, beat = _from_journal(settings, time)
    running = lock.is_held(settings.state)
    now = time.wall()
    if not running:
        problems.append("no daemon is running")
    elif beat is None or now - beat[1] > STALE_SECONDS:
        problems.append("the daemon gives no sign of life")
    free_mb = _free_mb(settings)
    if free_mb is not None and free_mb < settings.jobs.min_free_disk_mb:
        problems.append(f"only {free_mb} MB of disk are free (jobs.min_free_disk_mb)")
    scan = Scanner(settings).scan(time.steady())
    content = {
        "healthy": not problems,
        "problems": problems,
        "daemon": {
            "running": running,
            "pid": beat[0] if running and beat else None,
            "last_sign_of_life": clock.iso(beat[1]) if beat else None,
        },
        "jobs": [_job(job) for job in jobs if job.state not in FINISHED],
        "finished": [_job(job) for job in jobs if job.state in FINISHED][-FINISHED_SHOWN:],
        "predictions": predictions,
        "waiting": [{"file": entry.name, "reason": entry.reason} for entry in scan.waiting],
        "models": [
            {"name": shelf.name, "version": shelf.current, "folder": str(shelf.folder)}
            for shelf in shelves(settings.models)
        ],
        **{name: round(usd, 6) for name, usd in money.items()},
        "daily_budget_usd": settings.llm.daily_budget_usd,
        "free_disk_mb": free_mb,
    }
    return Status(not problems, content)


def _from_journal(
    settings: Settings, time: Clock
) -> tuple[list[Job], dict[str, int], dict[str, float], tuple[int, float] | None]:
    counts = dict.fromkeys(("claimed", "done", "failed"), 0)
    if not (settings.state / FILE_NAME).is_file():
        return [], counts, {"spent_today_usd": 0.0, "unconfirmed_today_usd": 0.0}, None
    with Journal(settings.state, time) as journal:
        for prediction in journal.predictions():
            counts[prediction.state] += 1
        purse = Purse(journal, time)
        money = {
            "spent_today_usd": purse.spent_today_usd(),
            "unconfirmed_today_usd": purse.unconfirmed_today_usd(),
        }
        return journal.jobs(), counts, money, journal.heartbeat()


def _free_mb(settings: Settings) -> int | None:
    folders = [folder for folder in (settings.state, settings.models) if folder.is_dir()]
    return min((shutil.disk_usage(folder).free // MEGABYTE for folder in folders), default=None)


def _job(job: Job) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": job.id,
        "model": job.name,
        "state": str(job.state),
        "round": job.round,
        "usd": round(job.usd, 6),
        "calls": job.calls,
        "attempts": job.attempts,
        "created": clock.iso(job.created_at),
        "updated": clock.iso(job.updated_at),
    }
    if job.state in RUNNING:
        known |= {"stage": job.stage, "done": job.done, "total": job.total}
    if job.state is State.PAUSED and job.until is not None:
        known["until"] = clock.iso(job.until)
    optional = {"reason": job.reason, "error": job.error, "request": job.request, "partial": job.partial}
    return known | {name: value for name, value in optional.items() if value}


def show(status: Status, console: Console) -> None:
    """The snapshot for eyes."""
    content = status.content
    daemon = content["daemon"]
    console.print(f"daemon: running, pid {daemon['pid']}" if daemon["running"] else "daemon: not running")
    for problem in content["problems"]:
        console.print(f"problem: {problem}", style="bold red", markup=False)
    columns = ("state", "progress", "spent", "note")
    jobs = [*content["jobs"], *content["finished"]]
    ids = id_column("job", [job["id"] for job in jobs], console)
    table = Table(ids, *(Column(name, overflow="fold") for name in columns))
    for job in jobs:
        table.add_row(job["id"], job["state"], _progress(job), f"${job['usd']:.4f}", _note(job))
    if table.row_count:
        console.print(table)
    for entry in content["waiting"]:
        console.print(f"waits: {entry['file']}: {entry['reason']}", markup=False)
    for model in content["models"]:
        console.print(f"model: {model['name']}: {model['version'] or 'no finished version'}", markup=False)
    cap = content["daily_budget_usd"]
    console.print(f"spent today: ${content['spent_today_usd']:.4f}" + (f" of ${cap:.2f}" if cap is not None else ""))
    if content["unconfirmed_today_usd"]:
        console.print(f"perhaps billed for lost answers today: up to ${content['unconfirmed_today_usd']:.4f}")


def _progress(job: dict[str, Any]) -> str:
    if "stage" not in job:
        return f"round {job['round']}" if job["round"] else ""
    return f"round {job['round']}, {job['stage']} {job['done']}/{job['total']}"


def _note(job: dict[str, Any]) -> str:
    parts = [job.get("reason", ""), "asked: " + job["request"] if "request" in job else ""]
    parts += [str(job["error"].get("problem", ""))] if "error" in job else []
    parts += ["stopped at a budget"] if job.get("partial") else []
    parts += [f"until {job['until']}"] if "until" in job else []
    return "; ".join(part for part in parts if part)
