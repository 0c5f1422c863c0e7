"""The folder of a finished job, file by file (CONTRACT.md 5)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from freeal.aggregation.label_choice import labels_of
from freeal.corrections import corrections_file, review_queue
from freeal.errors import CorruptModelError
from freeal.files import atomic_write
from freeal.job.new_version import certification_job
from freeal.pool.text_pool import EMPTY
from freeal.prediction import text_profile
from freeal.report import eval_results
from freeal.report.collect_report import collect_report
from freeal.report.model_card import model_card
from freeal.report.report_page import render_report_page
from freeal.results import metrics_as_text, model_cost, output_files, previous_version
from freeal.results.finished_run import FinishedRun
from freeal.student.model_folder import student_metadata
from freeal.table.workbook_writer import write_workbook
from freeal.text.joined_labels import parts


def write_output_folder(
    run: FinishedRun, folder: Path, *, model_folder: Path, previous_model: Path | None
) -> dict[str, Any]:
    """Fill `folder`, with the student of `model_folder` in it, and return the metrics.

    `previous_model` is the `model` folder of the version before; the report compares with the metrics beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(model_folder, folder / "model", dirs_exist_ok=True)
    extra: dict[str, Any] = {"name": run.spec.name, "job": run.job_id, "text_columns": list(run.pool.text_columns)}
    extra["csv"] = run.spec.csv.model_dump(mode="json", include={"header", "output_encoding"}, exclude_none=True)
    if run.spec.kind != "single":
        extra["kind"] = run.spec.kind
    if run.spec.kind == "tree":
        extra["back_off"] = run.spec.back_off
    student_metadata.add_extra(folder / "model", extra)
    text_profile.write(folder / "model", _training_profile(run))
    output_files.write_annotated(
        folder / "annotated.csv",
        run.table,
        run.pool,
        run.decisions,
        run.result.best.annotations,
        opinions=run.opinions,
        cut=run.cut,
        kind=run.spec.kind,
        probabilities=run.label_probabilities,
    )
    output_files.write_audit(
        folder / "audit.jsonl", run.result, run.pool, models=[(one.provider, one.model) for one in run.answerers]
    )
    output_files.write_demonstrations(folder, run.result)
    output_files.write_confusions(folder, run.pool, run.decisions, run.spec.task.names, run.spec.kind)
    queue = review_queue.review_queue(run.result.best, run.pool, run.decisions, run.spec.kind)
    queue = certification_job.not_certified(queue, run.pool, previous_model)
    review_queue.write_review_queue(
        folder / "review_queue.csv", queue, table=run.table, pool=run.pool, decisions=run.decisions, spec=run.spec
    )
    if run.table.dialect.form == "xlsx":
        for name in ("annotated", "review_queue"):
            write_workbook(folder / f"{name}.csv", folder / f"{name}.xlsx", long_values="cut")
    corrections_file.remember_corrections(folder, run.said)
    previous_version.write_answers_json(folder, run.result.best, run.pool, run.answerers)
    previous, replaced = _metrics_beside(previous_model), _metrics_in(folder)
    metrics = run.metrics([one for one in (previous, replaced) if one is not None])
    metrics |= certification_job.carry_certified(run, folder, previous_model)
    record = run.record()
    data = collect_report(run, metrics=metrics, record=record, queue=queue, previous=previous)
    _write_text(folder / "report.html", render_report_page(data))
    student, certified = student_metadata.read_card(folder / "model"), metrics.get("certified")
    _write_text(folder / "model" / "README.md", model_card(run, record=record, student=student, certified=certified))
    eval_results.write_eval_results(folder / "model", certified, name=run.spec.name)
    atomic_write.write_json(folder / "cost.json", metrics["cost"] | {model_cost.KEY: metrics[model_cost.KEY]})
    atomic_write.write_json(folder / "run.json", record)
    atomic_write.write_json(folder / "metrics.json", metrics)
    return metrics


def _training_profile(run: FinishedRun) -> text_profile.TextProfile:
    """What later predictions are compared with: the rows' texts and what the kept student says of them."""
    state, names, kind = run.result.best, run.spec.task.names, run.spec.kind
    labels, sure = labels_of(state.proba, names, kind, state.thresholds)
    full = [index for index in run.pool.row_index if index != EMPTY]
    return text_profile.profile_of_texts(
        [run.pool.texts[index] if index != EMPTY else "" for index in run.pool.row_index],
        [parts(labels[index], kind) for index in full],
        sure[full],
        names,
    )


def _write_text(path: Path, content: str) -> None:
    with atomic_write.writing(path) as stream:
        stream.write(content)


def _metrics_beside(model: Path | None) -> dict[str, Any] | None:
    """The last version's metrics, or None: a report without a comparison is better than no report."""
    return None if model is None else _metrics_in(model.parent)


def _metrics_in(folder: Path) -> dict[str, Any] | None:
    try:
        return metrics_as_text.read_metrics(folder)
    except CorruptModelError:
        return None
