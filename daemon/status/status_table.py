"""The snapshot of `status` for eyes: a table, bars, one line for each thing to know."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from daemon.status.job_id_column import id_column
from daemon.status.status_snapshot import Status
from freeal.text.printable_text import visible

BAR_CELLS = 16


def show(status: Status, console: Console) -> None:
    """Print it."""
    content = status.content
    for line in _service_lines(content):
        console.print(visible(line), markup=False, highlight=False)
    for problem in content["problems"]:
        console.print(visible(f"problem: {problem}"), style="bold red", markup=False)
    for warning in content["warnings"]:
        console.print(visible(f"warning: {warning}"), style="bold yellow", markup=False)
    jobs = [*content["jobs"], *content["finished"]]
    ids = id_column("job", [job["id"] for job in jobs], console)
    table = Table(ids, *(Column(name, overflow="fold") for name in ("state", "progress", "spent", "note")))
    for job in jobs:
        table.add_row(job["id"], job["state"], _progress(job), f"${job['usd']:.4f}", Text(visible(_note(job))))
    if table.row_count:
        console.print(table)
    for one in content["predicting"]:
        console.print(f"labels: {one['model']}/predict/{one['file']}: {_measure(one, 'rows')}", markup=False)
    for entry in content["waiting"]:
        console.print(visible(f"waits: {entry['file']}: {entry['reason']}"), markup=False)
    for model in content["models"]:
        console.print(f"model: {model['name']}: {model['version'] or 'no finished version'}", markup=False)
    _show_means(content, console)


def _show_means(content: dict[str, Any], console: Console) -> None:
    """Money and disk."""
    cap = content["daily_budget_usd"]
    console.print(f"spent today: ${content['spent_today_usd']:.4f}" + (f" of ${cap:.2f}" if cap is not None else ""))
    if content["unconfirmed_today_usd"]:
        console.print(f"perhaps billed for lost answers today: up to ${content['unconfirmed_today_usd']:.4f}")
    if content["free_disk_mb"] is not None:
        console.print(f"free disk: {content['free_disk_mb']} MB", highlight=False)


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


def _progress(job: dict[str, Any]) -> str:
    in_round = f"round {job['round']}" if job["round"] else ""
    if "stage" not in job:
        return in_round
    parts = [part for part in (in_round, job["stage"]) if part]
    return f"{', '.join(parts)}\n{_measure(job)}" if job["total"] else ", ".join(parts)


def _measure(one: dict[str, Any], unit: str = "") -> str:
    """`[######----------] 37 %  375/1000, 12.5/s, 50 s left`."""
    done, total = one["done"], one["total"]
    if not total:
        return f"{done} {unit}".strip() if done else "begins soon"
    share = min(1.0, done / total)
    filled = int(share * BAR_CELLS)
    parts = [f"{done}/{total} {unit}".strip()]
    parts += [f"{one['per_second']:.3g}/s"] if "per_second" in one else []
    parts += [f"{duration(one['remaining_seconds'])} left"] if "remaining_seconds" in one else []
    return f"{'█' * filled}{'░' * (BAR_CELLS - filled)} {share:.0%}  {', '.join(parts)}"


def duration(seconds: float) -> str:
    """`50 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes, hours, days = round(seconds / 60), int(seconds // 3600), int(seconds // 86_400)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {int(seconds % 3600 // 60)} min"
    return f"{days} d {hours % 24} h"


def _note(job: dict[str, Any]) -> str:
    parts = [job.get("reason", ""), "asked: " + job["request"] if "request" in job else ""]
    parts += [str(job["error"].get("problem", ""))] if "error" in job else []
    parts += ["stopped at a budget"] if job.get("partial") else []
    parts += [f"until {job['until']}"] if "until" in job else []
    parts += [f"tried again after: {', '.join(job['setbacks'])}"] if "setbacks" in job else []
    return "; ".join(part for part in parts if part)
