"""The snapshot of `status` for eyes: a line per job with its bar, what there is to know below it.

A terminal of 80 columns is enough: ids are short there, and what does not fit goes on with an indent. A pipe gets whole
lines and whole ids.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console

from daemon.journal import job_ids
from daemon.outbox import error_json_in_words
from daemon.status.status_snapshot import Status
from daemon.terminal.duration_words import duration
from daemon.terminal.folded_lines import say
from daemon.terminal.stage_words import stage_in_words

BAR_CELLS = 16
LEAST_STEPS = 2
"""A bar of so few, such as the models to load, says nothing."""


def show_status(status: Status, console: Console) -> None:
    """Print the status."""
    content = status.content
    for line in _service_lines(content):
        say(console, line)
    for problem in content["problems"]:
        say(console, f"problem: {problem}", style="bold red")
    for warning in content["warnings"]:
        say(console, f"warning: {warning}", style="bold yellow")
    _show_jobs([*content["jobs"], *content["finished"]], console)
    for one in content["predicting"]:
        say(console, f"labels: {one['model']}/predict/{one['file']}: {_bar_with_figures(one, 'rows')}")
    for one in content["drifting"]:
        for warning in one["warnings"]:
            say(console, f"look at: {one['file']}: {warning}", style="yellow")
    for entry in content["waiting"]:
        say(console, f"waits: {entry['file']}: {entry['reason']}")
    for model in content["models"]:
        say(console, f"model: {model['name']}: {model['version'] or 'no finished version'}")
    _show_money_and_disk(content, console)


def _show_jobs(jobs: list[dict[str, Any]], console: Console) -> None:
    if not jobs:
        return
    ids = [job["id"] for job in jobs]
    shown = job_ids.shown_ids(ids) if console.is_terminal else {one: one for one in ids}
    width = max(len("job"), *map(len, shown.values()))
    say(console, f"{'job':<{width}}  {'state':<10}  {'spent':<8}  progress", style="bold")
    for job in jobs:
        start = f"{shown[job['id']]:<{width}}  {job['state']:<10}  {'$' + format(job['usd'], '.4f'):<8}"
        progress = _progress_of_job(job)
        if console.is_terminal and len(start) + 2 + len(progress) > console.width:
            say(console, start)
            say(console, progress, indent=4)
        else:
            say(console, f"{start}  {progress}".rstrip())
        for note in _notes_on_job(job):
            say(console, note, indent=4)


def _show_money_and_disk(content: dict[str, Any], console: Console) -> None:
    """Money and disk."""
    cap = content["daily_budget_usd"]
    say(console, f"spent today: ${content['spent_today_usd']:.4f}" + (f" of ${cap:.2f}" if cap is not None else ""))
    if unknown := content["model_without_price"]:
        say(
            console,
            f"not in these sums: what {unknown} costs, for its price is not known (llm.prices; 0 where it is free)",
        )
    if content["unconfirmed_today_usd"]:
        say(console, f"perhaps billed for lost answers today: up to ${content['unconfirmed_today_usd']:.4f}")
    if content["free_disk_mb"] is not None:
        say(console, f"free disk: {content['free_disk_mb']} MB")


def _service_lines(content: dict[str, Any]) -> list[str]:
    daemon, lanes, watcher = content["daemon"], content["lanes"], content["watcher"]
    if not daemon["running"]:
        return ["daemon: not running"]
    lines = [f"daemon: {'stopping' if daemon['stopping'] else 'running'}, pid {daemon['pid']}"]
    if watcher is not None:
        age = daemon["scan_age_seconds"]
        looked = "" if age is None else f", last look {age:.0f} s ago"
        lines.append(f"new files: {watcher['in_use']}, and a look every {watcher['rescan_seconds']:g} s{looked}")
        lines += [f"new files: {watcher['remark']}"] if watcher.get("remark") else []
    if lanes["device"]:
        queue = f"; then {', '.join(lanes['waiting_for_device'])}" if lanes["waiting_for_device"] else ""
        lines.append(f"device: {lanes['device']}{queue}")
    if lanes["waiting_for_batch"]:
        lines.append(f"in a batch at the provider: {', '.join(lanes['waiting_for_batch'])}")
    return lines


def _progress_of_job(job: dict[str, Any]) -> str:
    """`round 1 of 3, training  ██████░░░░░░░░░░ 37 %, 5 min left`: of the whole job, where that can be told."""
    words = stage_in_words(job["stage"] or "", round_number=job["round"], rounds=job["rounds"])
    if job["stage"] is None:
        return words
    if job["overall"] is None:
        return f"{words}  {_bar_with_figures(job)}" if job["total"] > LEAST_STEPS else words
    left = job["remaining_seconds"]
    return f"{words}  {_bar(job['overall'])}" + ("" if left is None else f", {duration(left)} left")


def _bar_with_figures(one: dict[str, Any], unit: str = "") -> str:
    """`██████░░░░░░░░░░ 37 %  375/1000, 12.5/s, 50 s left`: of a stage, or of a prediction."""
    done, total = one["done"], one["total"]
    if not total:
        return f"{done} {unit}".strip() if done else "begins soon"
    parts = [f"{done}/{total} {unit}".strip()]
    parts += [f"{one['per_second']:.3g}/s"] if one["per_second"] is not None else []
    parts += [f"{duration(one['remaining_seconds'])} left"] if one["remaining_seconds"] is not None else []
    return f"{_bar(done / total)}  {', '.join(parts)}"


def _bar(share: float) -> str:
    share = min(1.0, share)
    filled = int(share * BAR_CELLS)
    return f"{'█' * filled}{'░' * (BAR_CELLS - filled)} {share:.0%}"


def _notes_on_job(job: dict[str, Any]) -> list[str]:
    asked = f"asked: {job['request']}" if job["request"] else None
    parts = [job["reason"], asked, error_json_in_words.error_in_words(job["error"])]
    parts += ["stopped at a budget"] if job["partial"] else []
    parts += [f"until {job['until']}"] if job["until"] else []
    parts += [f"tried again after: {', '.join(job['setbacks'])}"] if job["setbacks"] else []
    return [part for part in parts if part]
