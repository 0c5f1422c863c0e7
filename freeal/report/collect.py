"""From a finished run to everything its report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freeal.record import FinishedRun
from freeal.report import corrected, facts, over_rounds, over_rows, tables
from freeal.report.data import ReportData
from freeal.report.embedding_map import text_map
from freeal.report.rows import Rows
from freeal.review import Look


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
    quality, note = facts.quality(run, rows, metrics)
    return ReportData(
        name=run.spec.name,
        job=run.job_id,
        finished=record["finished"],
        task=run.spec.description,
        labels=tuple(run.spec.labels.items()),
        asked=(*facts.asked(run), *corrected.facts(metrics)),
        answered_by=facts.answered_by(run),
        quality=quality,
        quality_note=f"{note} {corrected.note(metrics)}".strip(),
        cost=facts.cost(run, metrics),
        look_at=facts.look_at(run, metrics, queue, facts.weak_classes(rows)),
        scores=over_rounds.scores(run, metrics),
        shares=over_rounds.shares(run, rows),
        losses=over_rounds.losses(run),
        confusions=over_rows.confusions(rows),
        reliability=over_rows.reliability(rows),
        coverage=over_rows.coverage(run, rows),
        confidence=over_rows.confidence(rows),
        text_map=text_map(run),
        spending=over_rounds.spending(run),
        rounds=tables.rounds(run),
        per_class=tables.per_class(run, rows),
        demonstrations=tables.demonstrations(run),
        suspicious=tables.suspicious(run, queue),
        changes=tables.changes(metrics, previous),
        corrected=corrected.flipped(metrics),
        statuses=tables.statuses(run, rows),
        unanswered=tables.unanswered(run),
        first_prompt=record["first_prompt"],
        settings=tables.settings(run),
        versions=tables.versions(record),
    )
