"""The table at the end of `--once`: what was made, and where it lies."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from daemon.app import Report
from daemon.config import Settings
from daemon.journal.job_record import Job, State
from daemon.journal.work_folder import Workplace
from daemon.outbox.model_shelf import Shelf
from daemon.status.job_id_column import id_column
from freeal.errors import CorruptModelError
from freeal.results import metrics_summary
from freeal.text.printable_text import visible


def show(report: Report, settings: Settings, console: Console) -> None:
    """Print it, then the figures of each model that was trained. Paths are relative to the current folder where they
    lie in it."""
    ids = [job.id for job in report.jobs] + [prediction.id for prediction in report.predictions]
    columns = [Column(name, overflow="fold") for name in ("outcome", "where")]
    table = Table(id_column("what", ids, console), *columns)
    for job in report.jobs:
        table.add_row(job.id, Text(visible(_outcome(job))), Text(visible(_where(job, settings))))
    for prediction in report.predictions:
        shelf = Shelf(settings.models, prediction.model)
        if prediction.state == "done":
            table.add_row(prediction.id, f"{prediction.rows} rows labelled", _short(shelf.folder / "predictions"))
        else:
            problem = (prediction.error or {}).get("problem", "")
            table.add_row(
                prediction.id, Text(visible(f"failed: {problem}")), _short(shelf.folder / "failed" / prediction.id)
            )
    if table.row_count:
        console.print(table)
    for job in report.jobs:
        for line in _figures(job, settings):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    for entry in report.waiting:
        console.print(visible(f"waits: {entry.name}: {entry.reason}"), markup=False, soft_wrap=True)
    if not (table.row_count or report.waiting):
        console.print(
            f"nothing to do: drop a CSV and its spec in {_short(settings.inbox)}", markup=False, soft_wrap=True
        )


def _figures(job: Job, settings: Settings) -> list[str]:
    """What a finished training came to; nothing for a job that had nothing to do, or whose version is gone again."""
    if job.state is not State.DONE or job.reason:
        return []
    try:
        figures = metrics_summary.figures(
            metrics_summary.read_metrics(Shelf(settings.models, job.name).version(job.id))
        )
    except CorruptModelError:
        return []
    width = max(len(what) for what, _ in figures)
    return ["", job.id, *(f"  {what:<{width}}  {value}" for what, value in figures)]


def _outcome(job: Job) -> str:
    spent = f", ${job.usd:.4f}" if job.usd else ""
    if job.state is State.DONE:
        return (f"done: {job.reason}" if job.reason else "stopped at its budget" if job.partial else "done") + spent
    if job.state is State.FAILED:
        return f"failed: {(job.error or {}).get('problem', '')}{spent}"
    return f"{job.state}: {job.reason}{spent}" if job.reason else f"{job.state}{spent}"


def _where(job: Job, settings: Settings) -> str:
    place = Workplace(settings, job.id)
    if job.state is State.DONE:
        return _short(Shelf(settings.models, job.name).folder)
    return _short(place.failed if job.state in {State.FAILED, State.CANCELLED} else place.folder)


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
