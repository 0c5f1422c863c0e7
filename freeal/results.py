"""The folder of a finished job, file by file (CONTRACT.md 5)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from freeal import atomic, corrections, earlier, outputs, review, summary
from freeal.errors import CorruptModelError
from freeal.pool import EMPTY
from freeal.prediction import profile
from freeal.record import FinishedRun
from freeal.report.collect import collect
from freeal.report.model_card import model_card
from freeal.report.page import render
from freeal.student import card


def write(run: FinishedRun, folder: Path, *, model_folder: Path, previous_model: Path | None) -> dict[str, Any]:
    """Fill `folder`, with the student of `model_folder` in it, and return the metrics.

    `previous_model` is the `model` folder of the version before; the report compares with the metrics beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(model_folder, folder / "model", dirs_exist_ok=True)
    extra = {"name": run.spec.name, "job": run.job_id, "text_columns": list(run.pool.text_columns)}
    card.add_extra(folder / "model", extra)
    profile.write(folder / "model", _training_profile(run))
    outputs.write_annotated(
        folder / "annotated.csv", run.table, run.pool, run.decisions, run.result.best.annotations, cut=run.cut
    )
    outputs.write_audit(folder / "audit.jsonl", run.result, run.pool, provider=run.llm.provider, model=run.llm.model)
    outputs.write_demonstrations(folder, run.result)
    outputs.write_confusions(folder, run.pool, run.decisions, run.spec.task.names)
    queue = review.review_queue(run.result.best, run.pool, run.decisions)
    review.write_review_queue(
        folder / "review_queue.csv", queue, table=run.table, pool=run.pool, decisions=run.decisions, spec=run.spec
    )
    corrections.remember(folder, run.said)
    earlier.write(folder, run.result.best, run.pool, run.llm)
    metrics, record = run.metrics(), run.record()
    data = collect(run, metrics=metrics, record=record, queue=queue, previous=_metrics_beside(previous_model))
    _write_text(folder / "report.html", render(data))
    _write_text(folder / "model" / "README.md", model_card(run, record=record, student=card.read(folder / "model")))
    atomic.write_json(folder / "cost.json", metrics["cost"])
    atomic.write_json(folder / "run.json", record)
    atomic.write_json(folder / "metrics.json", metrics)
    return metrics


def _training_profile(run: FinishedRun) -> profile.TextProfile:
    """What later predictions are compared with: the rows' texts and what the kept student says of them."""
    proba = run.result.best.proba
    full = [index for index in run.pool.row_index if index != EMPTY]
    return profile.profile(
        [run.pool.texts[index] if index != EMPTY else "" for index in run.pool.row_index],
        proba.argmax(axis=1)[full],
        proba.max(axis=1)[full],
        run.spec.task.names,
    )


def _write_text(path: Path, content: str) -> None:
    with atomic.writing(path) as stream:
        stream.write(content)


def _metrics_beside(model: Path | None) -> dict[str, Any] | None:
    """The last version's metrics, or None: a report without a comparison is better than no report."""
    if model is None:
        return None
    try:
        return summary.read_metrics(model.parent)
    except CorruptModelError:
        return None
