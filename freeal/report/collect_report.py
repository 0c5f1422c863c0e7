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


def collect_report(
    run: FinishedRun,
    *,
    metrics: Mapping[str, Any],
    record: Mapping[str, Any],
    queue: Sequence[Look],
    previous: Mapping[str, Any] | None,
) -> ReportData:
    """`metrics` and `record` are metrics.json and run.json of the run, `previous` the metrics of the version before."""
    rows = Rows.of(run)
    quality, note = key_facts.facts_on_quality(run, rows, metrics)
    return ReportData(
        name=run.spec.name,
        job=run.job_id,
        finished=record["finished"],
        page=run.page or "",
        headline=report_headline.headline_of_metrics(metrics),
        task=run.spec.description,
        labels=tuple(run.spec.labels.items()),
        asked=(*key_facts.asked(run), *corrections_section.facts(metrics)),
        answered_by=key_facts.facts_on_who_answered(run),
        quality=quality,
        quality_note=f"{note} {corrections_section.how_to_read_corrections(metrics)}".strip(),
        cost=key_facts.facts_on_cost(run, metrics),
        look_at=key_facts.facts_to_look_at(run, metrics, queue, key_facts.weak_classes(rows)),
        scores=round_chart_data.scores_per_round(run, metrics),
        shares=round_chart_data.label_shares_per_round(run, rows),
        losses=round_chart_data.losses_of_kept_round(run),
        confusions=row_chart_data.confusions_of_rows(rows),
        reliability=row_chart_data.reliability_of_rows(rows),
        coverage=row_chart_data.coverage_of_rows(run, rows),
        confidence=row_chart_data.confidence_of_rows(rows),
        text_map=text_map(run, rows.labels),
        spending=round_chart_data.spending_per_round(run),
        rounds=report_tables.rounds_table(run),
        annotators=report_tables.annotators_table(metrics),
        students=report_tables.students_table(metrics),
        per_class=report_tables.per_class_table(run, rows),
        demonstrations=report_tables.demonstrations_table(run),
        suspicious=report_tables.suspicious_rows_table(run, queue),
        wrong=report_tables.wrong_rows_table(run, rows),
        changes=report_tables.changes_table(metrics, previous),
        corrected=corrections_section.labels_changed_by_corrections(metrics),
        moves=corrections_section.moves_since_corrections(metrics),
        certified=metrics.get("certified"),
        statuses=report_tables.statuses_table(run, rows),
        unanswered=report_tables.unanswered_table(run),
        first_prompt=record["first_prompt"],
        settings=report_tables.settings(run),
        versions=report_tables.versions_table(record),
    )
