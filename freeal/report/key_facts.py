"""The first screen: what was asked, who answered, how good it is, what it cost, what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from freeal.annotation.question_form import QuestionForm
from freeal.corrections.review_queue import Look
from freeal.evaluation import confidence_intervals
from freeal.evaluation.confidence_intervals import spelled
from freeal.loop.loop_result import LoopResult
from freeal.report.number_format import count, dollars, duration, percent, plural
from freeal.report.report_data import Advice, Facts
from freeal.report.row_arrays import Rows
from freeal.results import metrics_as_text, model_cost
from freeal.results.finished_run import Answerer, FinishedRun
from freeal.results.metrics_as_text import confidence_error_in_words

_WORDS = {
    "local": "in this machine's memory",
    "anthropic": "the Claude API",
    "openai": "an OpenAI-compatible server",
}

_FEW_ROWS = 5
_LOW_AGREEMENT = 0.7


def where_it_ran(one: Answerer) -> str:
    """Where a language model was when it answered."""
    return "in the memory of a Ray cluster" if one.engine == "ray" else _WORDS.get(one.provider, one.provider)


def asked(run: FinishedRun) -> Facts:
    """What there was to label."""
    rows = f"{count(len(run.table.rows))} of {run.file}, {plural(len(run.pool), 'distinct text')}"
    return (("rows", rows), ("text", ", ".join(run.pool.text_columns)), ("labels", count(len(run.spec.labels))))


def facts_on_who_answered(run: FinishedRun) -> Facts:
    """Who labelled, and in how many rounds."""
    student, result = run.student, run.result
    named = [f"{one.model}, {where_it_ran(one)} ({one.provider})" for one in run.answerers]
    rounds = plural(len(result.rounds), "round")
    if result.best.round != result.rounds[-1].round:
        rounds += f", of which round {result.best.round} is kept"
    forms = [str(QuestionForm(one.form)) for one in run.answerers if one.form is not None]
    return (
        ("language model" if len(named) == 1 else "language models", "; ".join(named)),
        *([("asked as", "; ".join(forms))] if forms else []),
        (
            "student",
            f"{student['model']}, {student['mode']}, on {student['device']}{_trained_over(result)}",
        ),
        ("rounds", rounds),
    )


def _trained_over(result: LoopResult) -> str:
    """Who fine-tuned the student that is kept, where that was not the job's own process."""
    rounds = [state for state in result.rounds if state.round <= result.best.round and not state.settled]
    metrics = rounds[-1].metrics if rounds else {}
    if "training_engine" not in metrics:
        return ""
    processes = metrics["training_processes"]
    return f", trained over Ray by {'one process' if processes == 1 else f'{count(processes)} processes'}"


def facts_on_quality(run: FinishedRun, rows: Rows, metrics: Mapping[str, Any]) -> tuple[Facts, str]:
    """How good the labels are, and how to read that. Without ground truth: what can be said instead."""
    best, final = run.result.best.metrics, metrics["final"]
    if "accuracy" not in final:
        sure = float(np.mean(rows.confidence[rows.with_text]))
        instead = (
            ("LLM and student agree on", percent(final["llm_student_agreement"])),
            ("answers judged clean", percent(best["clean"] / len(run.pool))),
            ("the models' own expectation", f"{percent(sure)} right (mean confidence)"),
            *metrics_as_text.tree_accuracy_in_words(final),
            *metrics_as_text.backed_off_in_words(final),
        )
        if "evaluated_rows" in final.get("tree", {}):
            return instead, "Accuracy of the labels unknown: the true values name branches, which are measured."
        note = (
            "Accuracy unknown: no ground truth. Two models that agree may be wrong together, so none of these "
            "figures is an accuracy. Name a label_column with true labels for a few hundred rows to measure it."
        )
        return instead, note
    of = final["evaluated_rows"]
    known = {
        "LLM, kept round": best.get("llm_accuracy"),
        "student alone, as published": best.get("student_accuracy"),
        "LLM zero-shot": metrics["baselines"].get("llm_zero_shot"),
        "plain distillation": metrics["baselines"].get("plain_distillation"),
    }
    facts = (
        (_right(final), spelled(final["accuracy"], final["accuracy_interval"], rows=of, of=metrics["rows"])),
        *_facts_on_holdout(metrics),
        ("macro F1", percent(final["macro_f1"])),
        *metrics_as_text.order_errors_in_words(final),
        *metrics_as_text.several_labels_in_words(final),
        *metrics_as_text.tree_accuracy_in_words(final),
        *metrics_as_text.backed_off_in_words(final),
        *((name, percent(value)) for name, value in known.items() if value is not None),
    )
    note = (
        f"Measured on the {plural(of, 'row')} with a true label, with the 95 % interval, in which rows of one text "
        "count as one. No model saw the true labels, but the student was trained on these texts: on new ones it may do "
        "worse."
    )
    return facts, note


def _right(final: Mapping[str, Any]) -> str:
    return "rows whose labels are all right" if "several_labels" in final else "final labels right"


def _facts_on_holdout(metrics: Mapping[str, Any]) -> Facts:
    found = metrics["final"].get("holdout", {})
    if "accuracy" not in found:
        return ()
    rows = found["evaluated_rows"]
    said = spelled(found["accuracy"], found["accuracy_interval"], rows=rows, of=metrics["rows"])
    return (("never demonstrations", said),)


def facts_on_cost(run: FinishedRun, metrics: Mapping[str, Any]) -> Facts:
    """What the answers cost, in this run and altogether, and how long the rounds took."""
    bill = metrics["cost"]
    paid = metrics_as_text.cost_in_words(bill, dollars(bill["usd"]))
    if all(one.provider == "local" for one in run.answerers):
        at = "cluster" if any(one.engine == "ray" for one in run.answerers) else "machine"
        paid = f"nothing: no text left the {at}"
    facts = [("paid in this run", paid)]
    if bill["unconfirmed_usd"]:
        facts.append(("perhaps, for lost answers", f"up to {dollars(bill['unconfirmed_usd'])}"))
    tokens = f"{count(bill['input_tokens'])} in, {count(bill['output_tokens'])} out"
    facts += [("calls", count(bill["calls"])), ("tokens", tokens)]
    if model_cost.of_earlier_runs(metrics):
        model = metrics[model_cost.KEY]
        altogether = (
            f"{metrics_as_text.cost_in_words(model, dollars(model['usd']))}, in {plural(len(model['bills']), 'run')}"
        )
        facts.append(("paid for the model altogether", altogether))
    facts.append(("time of the rounds", duration(sum(state.metrics["seconds"] for state in run.result.rounds))))
    return tuple(facts)


def facts_to_look_at(
    run: FinishedRun, metrics: Mapping[str, Any], queue: Sequence[Look], weak: Sequence[str]
) -> tuple[Advice, ...]:
    """Key facts that deserve a person's attention, the gravest first."""
    advice = [Advice(f"{warning[:1].upper()}{warning[1:]}.", "classes") for warning in run.warnings]
    advice += [*_advice_on_rounds(run, metrics), *_advice_on_labels(metrics, weak)]
    if queue:
        advice.append(Advice(f"{plural(len(queue), 'text')} worth a look first, in review_queue.csv.", "review"))
    return tuple(advice)


def _advice_on_rounds(run: FinishedRun, metrics: Mapping[str, Any]) -> Iterator[Advice]:
    """Key facts to look at in the rounds and their answers."""
    final = metrics["final"]
    if run.result.budget_reached:
        yield Advice("The budget was reached: later rows have no answer of the language model.", "answers")
    zero = metrics["baselines"].get("llm_zero_shot")
    # abstaining is no error of the labels: what was held back counts as what it would have been
    accuracy = final["coverage_curve"][-1]["accuracy"] if "coverage_curve" in final else None
    if zero is not None and accuracy is not None and zero >= accuracy:
        yield Advice("The rounds gained nothing: without demonstrations the LLM was as good.", "rounds")
    alone = run.result.best.metrics.get("llm_accuracy")
    if alone is not None and accuracy is not None and alone > accuracy:
        by = f"{(alone - accuracy) * 100:.1f} points"
        yield Advice(f"The language model alone was right more often than the final labels, by {by}.", "rounds")
    if final["llm_student_agreement"] < _LOW_AGREEMENT:
        agreed = percent(final["llm_student_agreement"])
        yield Advice(f"LLM and student agree on {agreed} only; the labels may be hard to tell.", "rounds")
    if invalid := run.result.best.metrics["invalid"]:
        yield Advice(f"{plural(invalid, 'text')} got no usable answer in the kept round.", "answers")


def _advice_on_labels(metrics: Mapping[str, Any], weak: Sequence[str]) -> Iterator[Advice]:
    """Key facts to look at in the labels."""
    final = metrics["final"]
    if weak:
        yield Advice(f"Weak: {'; '.join(weak)}.", "classes")
    if final["abstained"]:
        yield Advice(f"{plural(final['abstained'], 'row')} left without a label (abstain_below).", "confidence")
    yield from (
        Advice(f"{what.capitalize()} is {said}", "confidence") for what, said in confidence_error_in_words(final)
    )


def weak_classes(rows: Rows) -> list[str]:
    """At most three labels that are clearly worse than the rest, in words: by recall, then precision, where the truth
    is known, else by how often the student agrees with the language model; then those that are rare."""
    truth = rows.truth if rows.known.any() else rows.llm
    given = rows.final if rows.known.any() else rows.student
    what = "found" if rows.known.any() else "agreed on"
    each = [rows.has(given, place)[rows.has(truth, place)] for place in range(len(rows.names))]
    overall = float(np.mean(np.concatenate(each))) if sum(map(len, each)) else 0.0
    found = []
    for position, label in enumerate(rows.names):
        there, said = rows.has(truth, position), rows.has(given, position)
        views = [(there, said, f"{what} in", "")]
        if rows.known.any():
            views.append((said & rows.known, there, "right in", " that have it"))
        weak = [
            (*share, words, rest)
            for of, hit, words, rest in views
            if (share := _share_clearly_below(overall, rows, of, hit))
        ]
        if weak:
            below, of_rows, words, rest = weak[0]
            found.append((below, f"{label}, {words} {percent(below)} of {plural(of_rows, 'row')}{rest}"))
        elif 0 < int(there.sum()) < _FEW_ROWS:
            found.append((1.0 + int(there.sum()), f"{label}, with only {plural(int(there.sum()), 'row')}"))
    return [wording for _, wording in sorted(found)[:3]]


def _share_clearly_below(overall: float, rows: Rows, of: np.ndarray, hit: np.ndarray) -> tuple[float, int] | None:
    """The share of the rows `of` (bool [n]) that are a `hit`, and how many there are, where even the upper end of its
    interval is below; None also where they are few."""
    if int(of.sum()) < _FEW_ROWS or confidence_intervals.of_rows(hit[of], rows.kinds[of])[1] >= overall:
        return None
    return float(hit[of].mean()), int(of.sum())
