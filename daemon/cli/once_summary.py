"""What `--once` says at the end: what was made, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from daemon.app import Report
from daemon.config import Settings
from daemon.journal import job_ids
from daemon.journal.job_record import Job, State
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox import error_json_in_words
from daemon.outbox.model_shelf import Shelf
from daemon.terminal.folded_lines import say
from freeal.errors import CorruptModelError
from freeal.results import metrics_as_text


def show_once_summary(report: Report, settings: Settings, console: Console) -> None:
    """Print what was made, then the figures of each model that was trained. Paths are relative to the current folder
    where they lie in it."""
    ids = [job.id for job in report.jobs] + [prediction.id for prediction in report.predictions]
    shown = job_ids.shown_ids(ids) if console.is_terminal else {one: one for one in ids}
    for job in report.jobs:
        say(console, f"{shown[job.id]}: {_outcome_of_job(job)}")
        say(console, _where(job, settings), indent=4)
    for prediction in report.predictions:
        for position, line in enumerate(_prediction_lines(prediction, settings)):
            say(console, line if position else f"{shown[prediction.id]}: {line}", indent=4 if position else 0)
    for job in report.jobs:
        for line in _figures_of_job(job, settings):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    for entry in report.waiting:
        say(console, f"waits: {entry.name}: {entry.reason}")
    if not (ids or report.waiting):
        say(console, f"nothing to do: drop a CSV and its spec in {_short(settings.inbox)}")


def once_summary_content(report: Report, settings: Settings) -> dict[str, Any]:
    """The same for programs: exit code, jobs with their metrics, predictions, and what waits. Paths are whole."""
    return {
        "exit_code": report.exit_code,
        "jobs": [
            {
                "job": job.id,
                "model": job.name,
                "state": str(job.state),
                "partial": job.partial,
                "reason": job.reason or None,
                "error": job.error,
                "usd": round(job.usd, 6),
                "folder": str(_folder_of_job(job, settings)),
                "metrics": _metrics_of_job(job, settings),
            }
            for job in report.jobs
        ],
        "predictions": [
            {
                "job": one.id,
                "model": one.model,
                "state": one.state,
                "rows": one.rows,
                "error": one.error,
                "warnings": one.warnings.splitlines(),
                "folder": str(_prediction_folder(one, settings)),
            }
            for one in report.predictions
        ],
        "waiting": [{"file": entry.name, "reason": entry.reason} for entry in report.waiting],
    }


def _prediction_folder(prediction: Prediction, settings: Settings) -> Path:
    shelf = Shelf(settings.models, prediction.model)
    return shelf.folder / ("predictions" if prediction.state == "done" else f"failed/{prediction.id}")


def _prediction_lines(prediction: Prediction, settings: Settings) -> Iterator[str]:
    if prediction.state == "done":
        yield f"{prediction.rows} rows labelled"
        yield _short(_prediction_folder(prediction, settings))
        yield from (f"look at them: {warning}" for warning in prediction.warnings.splitlines())
    else:
        yield f"{prediction.state}: {error_json_in_words.error_in_words(prediction.error)}"
        yield _short(_prediction_folder(prediction, settings))


def _figures_of_job(job: Job, settings: Settings) -> list[str]:
    """What a finished training came to; nothing for a job that had nothing to do, or whose version is gone again."""
    metrics = _metrics_of_job(job, settings)
    if metrics is None:
        return []
    figures = metrics_as_text.metrics_in_words(metrics)
    width = max(len(what) for what, _ in figures)
    return ["", job.id, *(f"  {what:<{width}}  {value}" for what, value in figures)]


def _metrics_of_job(job: Job, settings: Settings) -> dict[str, Any] | None:
    """The figures that the summary of `--once` prints for a job; None for one without a finished version."""
    if job.state is not State.DONE or job.reason:
        return None
    try:
        return metrics_as_text.read_metrics(Shelf(settings.models, job.name).version(job.id))
    except CorruptModelError:
        return None


def _outcome_of_job(job: Job) -> str:
    spent = f", ${job.usd:.4f}" if job.usd else ""
    if job.state is State.DONE:
        return (f"done: {job.reason}" if job.reason else "stopped at its budget" if job.partial else "done") + spent
    if job.state is State.FAILED:
        return f"failed: {error_json_in_words.error_in_words(job.error)}{spent}"
    return f"{job.state}: {job.reason}{spent}" if job.reason else f"{job.state}{spent}"


def _where(job: Job, settings: Settings) -> str:
    return _short(_folder_of_job(job, settings))


def _folder_of_job(job: Job, settings: Settings) -> Path:
    """Where the summary of `--once` says that a job lies."""
    place = Workplace(settings, job.id)
    if job.state is State.DONE:
        return Shelf(settings.models, job.name).folder
    if job.state is State.WAITING:
        return Shelf(settings.models, job.name).pilot(job.id)
    return place.failed if job.state in {State.FAILED, State.CANCELLED} else place.folder


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
