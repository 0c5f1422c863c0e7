"""From a finished run to everything its report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freeal.corrections.review_queue import Look
from freeal.report import (
    corrections_section,
    key_facts,
    report_headline,
    report_tables,
    round_chart_data,
    row_chart_data,
)
from freeal.report.embedding_map import text_map
from freeal.report.report_data import ReportData
from freeal.report.row_arrays import Rows
from freeal.results.finished_run import FinishedRun


def collect(
    run: FinishedRun,
    *,
    metrics: Mapping[str, Any],
    record: Mapping[str, Any],
    queue: Sequence[Look],
    previous: Mapping[str, Any] | None,
) -> ReportData:
    """`metrics` and `record` are metrics.json and run.json of the run, `previous` the metrics of the version before."""
    rows = Rows.of(run)
    quality, note = key_facts.quality(run, rows, metrics)
    return ReportData(
        name=run.spec.name,
        job=run.job_id,
        finished=record["finished"],
        page=run.page or "",
        headline=report_headline.of_metrics(metrics),
        task=run.spec.description,
        labels=tuple(run.spec.labels.items()),
        asked=(*key_facts.asked(run), *corrections_section.facts(metrics)),
        answered_by=key_facts.answered_by(run),
        quality=quality,
        quality_note=f"{note} {corrections_section.note(metrics)}".strip(),
        cost=key_facts.cost(run, metrics),
        look_at=key_facts.look_at(run, metrics, queue, key_facts.weak_classes(rows)),
        scores=round_chart_data.scores(run, metrics),
        shares=round_chart_data.shares(run, rows),
        losses=round_chart_data.losses(run),
        confusions=row_chart_data.confusions(rows),
        reliability=row_chart_data.reliability(rows),
        coverage=row_chart_data.coverage(run, rows),
        confidence=row_chart_data.confidence(rows),
        text_map=text_map(run, rows.labels),
        spending=round_chart_data.spending(run),
        rounds=report_tables.rounds(run),
        annotators=report_tables.annotators(metrics),
        students=report_tables.students(metrics),
        per_class=report_tables.per_class(run, rows),
        demonstrations=report_tables.demonstrations(run),
        suspicious=report_tables.suspicious(run, queue),
        wrong=report_tables.wrong(run, rows),
        changes=report_tables.changes(metrics, previous),
        corrected=corrections_section.flipped(metrics),
        moves=corrections_section.moves(metrics),
        certified=metrics.get("certified"),
        statuses=report_tables.statuses(run, rows),
        unanswered=report_tables.unanswered(run),
        first_prompt=record["first_prompt"],
        settings=report_tables.settings(run),
        versions=report_tables.versions(record),
    )
