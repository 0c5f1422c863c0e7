"""The numbers of the pictures that follow the rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freeal.aggregation.label_choice import labels_of
from freeal.report.report_data import Histogram, Line, Scores, Shares, Spending
from freeal.report.row_arrays import Rows
from freeal.results.finished_run import FinishedRun
from freeal.text.joined_labels import parts


def scores_per_round(run: FinishedRun, metrics: Mapping[str, Any]) -> Scores:
    """Accuracy per round where there is ground truth, else agreement and how much is clean and unchanged."""
    entries = [state.metrics for state in run.result.rounds]
    rounds = tuple(state.round for state in run.result.rounds)
    texts = len(run.pool)

    def line(name: str, key: str) -> Line:
        return Line(name, tuple(entry.get(key) for entry in entries))

    if any("student_accuracy" in entry for entry in entries):
        before = metrics["baselines"]
        known = {
            "LLM zero-shot": before.get("llm_zero_shot"),
            "plain distillation": before.get("plain_distillation"),
            "final labels": metrics["final"].get("accuracy"),
        }
        levels = tuple((name, value) for name, value in known.items() if value is not None)
        return Scores("accuracy", rounds, (line("LLM", "llm_accuracy"), line("student", "student_accuracy")), levels)
    clean = Line("answers judged clean", tuple(entry["clean"] / texts for entry in entries))
    first = run.result.rounds[0].metrics if run.result.rounds else {}
    has_none_before = first.get("changed") == texts  # then every label of the first round is a first one
    unchanged = [1.0 - entry["changed"] / texts for entry in entries]
    kept = Line("labels unchanged", (None, *unchanged[1:]) if has_none_before else tuple(unchanged))
    return Scores("share of the texts", rounds, (line("LLM and student agree", "agreement"), clean, kept))


def label_shares_per_round(run: FinishedRun, rows: Rows) -> Shares:
    """What LLM and student said in each round, by text; the final labels and the truth, by row."""
    names, kind = run.spec.task.names, run.spec.kind
    bars: list[tuple[str, tuple[int, ...]]] = []

    def bar(who: str, said: Sequence[str | None]) -> None:
        counts = Counter(name for label in said if label is not None for name in parts(label, kind))
        bars.append((who, tuple(counts[name] for name in names)))

    for state in run.result.rounds:
        bar(f"LLM, round {state.round}", [note.label for note in state.annotations])
        bar(f"student, round {state.round}", labels_of(state.proba, names, kind, state.thresholds)[0])
    bars.append(("final", rows.counts(rows.final)))
    if rows.known.any():
        bars.append(("truth", rows.counts(rows.truth)))
    return Shares(names, tuple(bars))


def losses_of_kept_round(run: FinishedRun) -> Histogram | None:
    """The losses of the kept round, clean and not, and the largest that is still clean."""
    best = run.result.best
    threshold = float(run.settings["loop"]["clean_threshold"])
    known = np.isfinite(best.losses)
    if not known.any():
        return None
    values, clean = best.losses[known], best.clean_probability[known] > threshold
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-3), 31)
    series = tuple(
        (name, tuple(int(number) for number in np.histogram(values[kind], edges)[0]))
        for name, kind in ((f"clean: P(right) above {threshold:g}", clean), ("not clean", ~clean))
    )
    mark = float(values[clean].max()) if clean.any() and not clean.all() else None
    return Histogram("loss", "text", tuple(map(float, edges)), series, mark, "largest clean loss")


def spending_per_round(run: FinishedRun) -> Spending:
    """Per round what its answers used, and what was used outside of the rounds that are shown."""
    used = run.ledger.usage
    bars = [
        (
            f"round {state.round}",
            int(state.metrics.get("input_tokens", 0)),
            int(state.metrics.get("output_tokens", 0)),
            float(state.metrics.get("usd", 0.0)),
        )
        for state in run.result.rounds
    ]
    rest = (
        max(0, used.input_tokens - sum(bar[1] for bar in bars)),
        max(0, used.output_tokens - sum(bar[2] for bar in bars)),
        max(0.0, run.ledger.usd - sum(bar[3] for bar in bars)),
    )
    before = ("outside the rounds", rest[0], rest[1], round(rest[2], 6))
    shown = (before, *bars) if any(rest[:2]) or rest[2] > 1e-6 else tuple(bars)
    return Spending(shown, is_priced=run.ledger.is_priced)
