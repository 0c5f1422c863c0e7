"""The tables of the report, from a finished run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freeal.corrections.review_queue import Look
from freeal.evaluation.confidence_intervals import of_rows
from freeal.report.number_format import MISSING, count, dollars, duration, percent, short
from freeal.report.report_data import Table
from freeal.report.row_arrays import Rows
from freeal.results.finished_run import FinishedRun
from freeal.types import Status

MOST_LOOKS = 30
MOST_WRONG = 50
MOST_DEMONSTRATIONS = 100
MOST_UNANSWERED = 30

_MEANINGS = {
    Status.OK: "answered",
    Status.EMPTY_TEXT: "no text in the text columns",
    Status.TRUNCATED: "cut to fit the language model",
    Status.STUDENT_TRUNCATED: "longer than the student reads (student.max_length, student.long_texts)",
    Status.INVALID_ANSWER: "none of the labels, twice",
    Status.REFUSED: "the language model declined",
    Status.API_ERROR: "no answer after all tries",
    Status.BUDGET: "the cap was reached before",
    Status.NOT_ASKED: "left to the student (loop.annotate_share)",
    Status.CORRECTED: "labelled by a person",
}
_UNANSWERED = (Status.INVALID_ANSWER, Status.REFUSED, Status.API_ERROR)


def rounds_table(run: FinishedRun) -> Table:
    """Every round in figures; accuracies where the truth is known."""
    keys = ("llm_accuracy", "student_accuracy", "clean_purity")
    known = [key for key in keys if any(key in state.metrics for state in run.result.rounds)]
    rows = []
    for state in run.result.rounds:
        entry = state.metrics
        kept = " (kept)" if state.round == run.result.best.round else ""
        numbers = [count(entry[key]) for key in ("asked", "answered", "invalid", "changed", "clean")]
        shares = [percent(entry.get(key)) for key in ("agreement", *known)]
        paid = dollars(entry["usd"], is_priced=run.ledger.is_priced or not entry.get("input_tokens"))
        rows.append((f"{state.round}{kept}", *numbers, *shares, duration(entry["seconds"]), paid))
    names = {"llm_accuracy": "LLM right", "student_accuracy": "student right", "clean_purity": "right among clean"}
    columns = ("round", "asked", "answered", "invalid", "changed", "clean", "agree", *(names[key] for key in known))
    columns = (*columns, "time", "cost")
    return Table("Rounds, counted in distinct texts", columns, tuple(rows), frozenset(range(1, len(columns))))


def annotators_table(metrics: Mapping[str, Any]) -> Table | None:
    """What each of several language models was asked, cost and is worth; None where there is one."""
    found = metrics.get("annotators", ())
    if not found:
        return None
    rows = tuple(
        (
            f"{one['model']} ({one['provider']})",
            count(one["asked"]),
            count(one["answered"]),
            dollars(one["usd"], is_priced=metrics["cost"]["is_priced"] or one["provider"] == "local"),
            percent(one.get("estimated_error")),
            *([percent(one.get("accuracy"))] if any("accuracy" in other for other in found) else []),
        )
        for one in found
    )
    known = ("right",) if any("accuracy" in one for one in found) else ()
    columns = ("language model", "questions", "texts answered", "paid", "wrong, by estimate", *known)
    note = {
        "cascade": "Each one was asked about what those before it left open, so their figures are of different texts.",
        "side_by_side": "Each one was asked about every text.",
    }[metrics["llm_use"]]
    return Table("Language models", columns, rows, frozenset(range(1, len(columns))), note)


def students_table(metrics: Mapping[str, Any]) -> Table | None:
    """The students that were compared, and why one of them was trained; None where one was named."""
    found = metrics.get("student_comparison")
    if found is None:
        return None
    rows = tuple(
        (
            f"{one['model']}{' (trained on)' if one['chosen'] else ''}",
            f"{one['log_likelihood']:.3f}",
            MISSING if one["chosen"] else f"{one['difference']:+.3f} ± {one['standard_error']:.3f}",
            percent(one["agreement"]),
            f"{one['texts_per_second']:,.0f}",
            f"{one['size_mb']:,.0f}",
            duration(one["seconds"]),
        )
        for one in found["candidates"]
    )
    columns = ("student", "log likelihood", "less the winner's", "agrees", "texts/s", "MB", "time")
    price = found["price_per_doubling"]
    worth = f", and by {price:g} for each doubling of its work (there was no GPU)" if price else ""
    note = (
        f"Out of fold on {found['texts']} texts: how probable each finds what all voices say of them, the log per "
        "text; `agrees`: how often its label is theirs, which is no accuracy. A student that takes more work must be "
        f"better by more than a standard error{worth}."
    )
    return Table("Students compared after the first annotation", columns, rows, frozenset(range(1, len(columns))), note)


def per_class_table(run: FinishedRun, rows: Rows) -> Table:
    """Precision and recall of the final labels with their 95 % intervals; without ground truth, agreement per label."""
    if rows.known.any():
        return _per_class_table_of_scores(run, rows)
    found = []
    for position, label in enumerate(run.spec.task.labels):
        said, learned = rows.has(rows.llm, position), rows.has(rows.student, position)
        counts = [count(int(rows.has(ids, position).sum())) for ids in (rows.llm, rows.student, rows.final)]
        found.append(
            (label.name, short(label.description, 120), *counts, *_share_and_interval_cells(learned, rows, of=said))
        )
    columns = ("label", "meaning", "LLM", "student", "final", "student agrees with the LLM", "95 % interval")
    return Table("Labels, counted in rows (no ground truth)", columns, tuple(found), frozenset(range(2, len(columns))))


def _per_class_table_of_scores(run: FinishedRun, rows: Rows) -> Table:
    found = []
    for position, label in enumerate(run.spec.task.labels):
        given, there = rows.has(rows.final, position) & rows.known, rows.has(rows.truth, position)
        hits, either = int((given & there).sum()), int(given.sum() + there.sum())
        f1 = percent(2 * hits / either) if either else percent(None)
        counts = (count(int(rows.has(rows.final, position).sum())), count(int(there.sum())))
        precision, recall = (
            _share_and_interval_cells(there, rows, of=given),
            _share_and_interval_cells(given, rows, of=there),
        )
        found.append((label.name, short(label.description, 120), *counts, *precision, *recall, f1))
    columns = ("label", "meaning", "final rows", "true rows", "precision", "95 %", "recall", "95 %", "F1")
    return Table("Final labels against the truth", columns, tuple(found), frozenset(range(2, len(columns))))


def _share_and_interval_cells(hits: np.ndarray, rows: Rows, *, of: np.ndarray) -> tuple[str, str]:
    """The share of `hits` among the rows `of`, both bool [rows], and its interval."""
    if not of.any():
        return percent(None), percent(None)
    low, high = of_rows(hits[of], rows.kinds[of])
    return percent(float(hits[of].mean())), f"{low * 100:.0f} to {high * 100:.0f} %"


def demonstrations_table(run: FinishedRun) -> Table:
    """What the language model was shown a choice of in the kept round."""
    best = run.result.best
    shown = best.demonstrations[:MOST_DEMONSTRATIONS]
    rows = tuple((demo.label, demo.origin.replace("_", "-"), short(demo.text)) for demo in shown)
    left = len(best.demonstrations) - len(shown)
    note = f"{left} more stand in demonstrations_round_{best.round}.json." if left else ""
    return Table(f"Demonstrations of round {best.round}", ("label", "from", "text"), rows, note=note)


def suspicious_rows_table(run: FinishedRun, queue: Sequence[Look]) -> Table:
    """The head of the review queue."""
    rows = []
    for look in queue[:MOST_LOOKS]:
        one = run.decisions[look.index]
        given = (one.label or MISSING, percent(one.confidence), one.llm_label or MISSING, one.student_label)
        row = count(run.pool.first_row[look.index] + 1)
        rows.append((row, short(run.pool.texts[look.index]), *given, percent(one.clean), "; ".join(look.why)))
    columns = ("row", "text", "final", "confidence", "LLM", "student", "clean", "why")
    note = f"The first {len(rows)} of {len(queue)} in review_queue.csv; rows count from 1, without the header."
    return Table("Rows to look at first", columns, tuple(rows), frozenset({0, 3, 6}), note)


def wrong_rows_table(run: FinishedRun, rows: Rows) -> Table | None:
    """Rows whose final label is not the true one, those first of which it was surest; None where nothing is known."""
    if not rows.known.any():
        return None
    missed = np.flatnonzero(rows.known & rows.with_text & (rows.final != rows.truth))
    surest = missed[np.argsort(-rows.confidence[missed], kind="stable")]
    names = (*rows.labels, MISSING)  # NONE is the last
    found = tuple(
        (
            count(int(row) + 1),
            short(run.pool.texts[rows.index[row]]),
            names[rows.truth[row]],
            names[rows.final[row]],
            percent(float(rows.confidence[row])),
        )
        for row in surest[:MOST_WRONG]
    )
    note = f"The {len(found)} of {len(missed)} that we were surest of; rows count from 1, without the header."
    return Table(
        "Rows whose label is wrong", ("row", "text", "truth", "final", "confidence"), found, frozenset({0, 4}), note
    )


def statuses_table(run: FinishedRun, rows: Rows) -> Table:
    """How many distinct texts, and empty rows, have each status."""
    counts = Counter(status for note in run.result.best.annotations for status in note.statuses)
    counts[Status.STUDENT_TRUNCATED] = len(run.cut)
    counts[Status.EMPTY_TEXT] = int((~rows.with_text).sum())
    found = tuple((str(status), count(counts[status]), _MEANINGS[status]) for status in Status if counts[status])
    return Table("Answers", ("status", "texts", "meaning"), found, frozenset({1}))


def unanswered_table(run: FinishedRun) -> Table | None:
    """Texts that the language model gave no usable answer to; None where there are none."""
    notes = [note for note in run.result.best.annotations if set(note.statuses) & set(_UNANSWERED)]
    if not notes:
        return None
    rows = tuple(
        (
            count(run.pool.first_row[note.index] + 1),
            ", ".join(str(status) for status in note.statuses),
            short(run.pool.texts[note.index]),
            run.decisions[note.index].label or MISSING,
        )
        for note in notes[:MOST_UNANSWERED]
    )
    note = (
        f"{len(notes) - len(rows)} more have such a freeal_status in annotated.csv." if len(notes) > len(rows) else ""
    )
    columns = ("row", "status", "text", "label by the student")
    return Table("Invalid and refused answers", columns, rows, frozenset({0}), note)


def settings(run: FinishedRun) -> Table:
    """The settings in force and what the spec said beside task and labels, flat."""
    said = run.spec.model_dump(mode="json", exclude={"description", "labels", "examples"}, exclude_defaults=True)
    rows = [*_flat_version_pairs("", run.settings), *_flat_version_pairs("spec.", said)]
    return Table("Settings", ("key", "value"), tuple(rows))


def _flat_version_pairs(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flat_version_pairs(f"{prefix}{key}.", value)
        else:
            found.append((f"{prefix}{key}", _without_password(str(value))))
    return found


def _without_password(value: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", value)  # an address may carry one, and this page is made to be sent on


def versions_table(record: Mapping[str, Any]) -> Table:
    """What the job ran with."""
    rows = [(name, version) for name, version in record["versions"].items()]
    rows += [("input", f"{record['input']['file']}, SHA-256 {record['input']['sha256']}")]
    rows += [("started", record["started"]), ("finished", record["finished"])]
    return Table("Versions and input", ("what", "value"), tuple(rows))


def changes_table(metrics: Mapping[str, Any], previous: Mapping[str, Any] | None) -> Table | None:
    """The last version's figures beside this one's; None where there is none to compare with."""
    if previous is None:
        return None
    rows = [
        ("rows", count(previous["rows"]), count(metrics["rows"]), _signed(metrics["rows"] - previous["rows"])),
        ("language model", _who(previous), _who(metrics), ""),
        ("student", previous["student"]["model"], metrics["student"]["model"], ""),
    ]
    for name, key in (
        ("LLM and student agree", "llm_student_agreement"),
        ("accuracy", "accuracy"),
        ("macro F1", "macro_f1"),
    ):
        before, now = previous["final"].get(key), metrics["final"].get(key)
        points = "" if before is None or now is None else f"{(now - before) * 100:+.1f} points"
        if before is not None or now is not None:
            rows.append((name, percent(before), percent(now), points))
    before, now = (
        dollars(one["cost"]["usd"], is_priced=one["cost"].get("is_priced", True)) for one in (previous, metrics)
    )
    rows.append(("cost of the run", before, now, ""))
    old, new = previous["final"]["label_counts"], metrics["final"]["label_counts"]
    for label in [*new, *(label for label in old if label not in new)]:
        before, now = _part(old, label), _part(new, label)
        points = "" if before is None or now is None else f"{(now - before) * 100:+.1f} points"
        rows.append((f"rows labelled {label}", percent(before), percent(now), points))
    note = "Two versions compare fairly only on the same rows."
    caption = f"Compared with the version before, {previous['job']}"
    return Table(caption, ("what", "before", "now", "change"), tuple(rows), frozenset({1, 2, 3}), note)


def _who(metrics: Mapping[str, Any]) -> str:
    return f"{metrics['llm']['provider']}/{metrics['llm']['model']}"


def _part(counts: Mapping[str, int], label: str) -> float | None:
    total = sum(counts.values())
    return counts[label] / total if label in counts and total else None


def _signed(number: int) -> str:
    return f"{number:+,}"
