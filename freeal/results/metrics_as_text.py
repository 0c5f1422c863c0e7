"""What a person wants to know about a finished model, from its metrics.json. Light: reads one small file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeal.errors import CorruptModelError, Where
from freeal.evaluation.confidence_intervals import spelled
from freeal.files import model_folders
from freeal.results import model_cost

LARGE_CALIBRATION_ERROR = 0.1
"""From here on a person is told."""
CERTIFICATE = "certificate.json"
"""What reading a blind sheet leaves in the folder of its job: the figures, and nothing else."""


def read_metrics(folder: Path) -> dict[str, Any]:
    """metrics.json of a model, one of its versions or its classifier (freeal/files/model_folders.py). Raises
    `CorruptModelError` when there is none to read."""
    path = model_folders.results_folder(folder) / model_folders.METRICS
    if not path.is_file():
        raise CorruptModelError(
            "has no metrics.json, so it is no finished model",
            where=Where(file=folder),
            hint="name models/NAME, models/NAME/versions/JOB, or the folder that `train` wrote",
        )
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise CorruptModelError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    except ValueError as cause:
        raise CorruptModelError(f"is not valid JSON: {cause}", where=Where(file=path)) from cause
    return metrics


def metrics_in_words(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, value) pairs: how good each part is where ground truth tells, and what it cost."""
    llm, student = metrics["llm"], metrics["student"]
    final = metrics["final"]
    kept = next(entry for entry in metrics["rounds"] if entry["round"] == metrics["kept_round"])
    rounds = "1 round" if metrics["kept_round"] == 1 else f"{metrics['kept_round']} rounds"
    after = f"after {rounds}" if kept.get("asked", 1) else "as answered for the version before"
    of_rows = ""
    if "uncorrected" in final:
        of_rows = f" of the {final['uncorrected']['evaluated_rows']} known rows that nobody corrected"
    known = [
        (f"LLM zero-shot ({llm['model']})", metrics["baselines"].get("llm_zero_shot")),
        (f"LLM {after}", kept.get("llm_accuracy")),
        (f"student ({student['model']}, {student['mode']})", kept.get("student_accuracy")),
    ]
    lines = [(what, f"{value * 100:.1f} %{of_rows}") for what, value in known if value is not None]
    lines += [
        *_final_accuracy_in_words(metrics),
        *order_errors_in_words(final),
        *several_labels_in_words(final),
        *tree_accuracy_in_words(final),
    ]
    if not lines:
        lines = [
            ("accuracy", "unknown: no label_column to compare with"),
            ("LLM and student agree on", f"{final['llm_student_agreement']:.1%}"),
        ]
    counts = ", ".join(f"{label}: {count}" for label, count in final["label_counts"].items())
    return [
        ("rows", f"{metrics['rows']} ({metrics['distinct_rows']} distinct)"),
        *lines,
        *confidence_error_in_words(final),
        *backed_off_in_words(final),
        *_annotators_in_words(metrics),
        *_students_in_words(metrics.get("student_comparison")),
        *certified_in_words(metrics.get("certified")),
        *corrections_in_words(metrics.get("corrections")),
        ("labels", counts),
        *costs_in_words(metrics),
        *(("look at", warning) for warning in metrics.get("warnings", ())),
    ]


def confidence_error_in_words(final: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How far confidence is off where truth tells that it is far, and in which direction where it has one."""
    if final.get("calibration_error", 0.0) <= LARGE_CALIBRATION_ERROR:
        return []
    off = f"off by {final['calibration_error'] * 100:.0f} points on average"
    mean, right = final["mean_confidence"], final["coverage_curve"][-1]["accuracy"]  # of all rows, held back or not
    if abs(mean - right) < final["calibration_error"] / 2:
        return [("confidence", f"{off}, too high for some rows and too low for others.")]
    direction = "too low" if mean < right else "too high"
    return [("confidence", f"{off}, {direction}: {mean * 100:.1f} % on average where {right * 100:.1f} % are right.")]


def costs_in_words(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the last run cost, and the model altogether where runs before it were paid for too."""
    cost = metrics["cost"]
    bill = f"{cost_in_words(cost, _dollars(cost))}, {cost['calls']} calls of {metrics['llm']['provider']}"
    if cost["usd"] and cost.get("cache_hit_ratio"):
        bill += f", {cost['cache_hit_ratio']:.0%} of their input read from the prompt cache"
    lines = [("cost of this run", bill)]
    if model_cost.of_earlier_runs(metrics):
        model = metrics[model_cost.KEY]
        runs = "1 run" if len(model["bills"]) == 1 else f"{len(model['bills'])} runs"
        paid = cost_in_words(model, _dollars(model))
        lines.append(("cost of the model", f"{paid}, {model['calls']} calls in {runs}"))
    return lines


def _dollars(cost: Mapping[str, Any]) -> str:
    return f"{cost['usd']:.4f} USD"


def cost_in_words(cost: Mapping[str, Any], known: str) -> str:
    """What the answers cost; `known` says what of it was counted: a model without a price is not in it."""
    if cost.get("is_priced", True) or not cost["calls"]:
        return known
    return (
        f"{known}, and what the model without a price cost"
        if cost["usd"]
        else "unknown: no price is set for this model"
    )


def certified_in_words(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What a blind sheet says, in words; nothing where none was filled in."""
    if not found:
        return []
    if "withdrawn" in found:
        told = found["withdrawn"]["texts"]
        return [("certified accuracy", f"withdrawn: {told} of its texts were corrected since, so the models were told")]
    lines = []
    for what, key in (("final labels, certified", "labels"), ("student alone, certified", "student")):
        one = found[key]
        if "accuracy" in one:
            lines.append((what, spelled(one["accuracy"], one["interval"], rows=one["looked_at"], of=one["rows"])))
    if (more := found["more_rows"])["rows"]:
        lines.append((f"for ± {more['points']:g} points", f"look at {more['rows']:,} more rows"))
    return lines


def corrections_in_words(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What a person's labels did, in words; nothing where there are none."""
    if not found:
        return []
    if "given" not in found:
        return [("labelled by a person", f"{found['texts']} texts, kept from earlier versions")]
    if not found["given"]:  # a version in which labels changed, or were explained anew
        return [("rows with another label than before", str(found["flipped"]["rows"]))]
    kept = f", {found['kept']} kept from earlier versions" if found["kept"] else ""
    lines = [
        ("labelled by a person", f"{found['given']} texts: {found['changed']} changed, {found['added']} new{kept}")
    ]
    if found["compared"]:
        low, high = found["agreed_interval"]
        share = found["agreed"] / found["compared"]
        value = f"{share * 100:.1f} % ({low * 100:.1f} to {high * 100:.1f}) of {found['compared']} that were looked at"
        lines.append(("labels before, right by those", value))
    return [*lines, ("other rows with another label now", str(found["flipped"]["rows"]))]


def order_errors_in_words(final: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How far off labels are that have an order; nothing for others, and without ground truth."""
    found = {who: one for who, one in final.get("order", {}).items() if one}
    if not found:
        return []
    names = {"final": "final labels", "llm": "LLM", "student": "student"}
    steps = ", ".join(f"{names[who]} {one['mean_distance']:.2f}" for who, one in found.items())
    kappas = {who: one["quadratic_kappa"] for who, one in found.items() if "quadratic_kappa" in one}
    kappa = ", ".join(f"{names[who]} {value:.2f}" for who, value in kappas.items())
    return [("steps from the truth, on average", steps), ("quadratic kappa", kappa or "none: all labels are one")]


def several_labels_in_words(final: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How right several labels per row are; nothing for others, and without ground truth."""
    found = {who: one for who, one in final.get("several_labels", {}).items() if one}
    if not found:
        return []
    names = {"final": "final labels", "llm": "LLM", "student": "student"}

    def line(key: str) -> str:
        return ", ".join(f"{names[who]} {one[key]:.1%}" for who, one in found.items())

    counts = f"{found['final']['labels_per_row']:.2f}, in truth {found['final']['true_labels_per_row']:.2f}"
    return [
        ("micro F1", line("micro_f1")),
        ("macro F1 over labels", line("macro_f1")),
        ("all labels of a row right", line("subset_accuracy")),
        ("labels per row", counts),
    ]


def tree_accuracy_in_words(final: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How right labels and nodes of a tree are; nothing for others, and without ground truth."""
    names = {"final": "final labels", "node": "freeal_node", "llm": "LLM", "student": "student"}
    found = {names[who]: one for who, one in final.get("tree", {}).items() if who in names and one}
    if not found:
        return []
    f1 = ", ".join(f"{who} {one['hierarchical_f1']:.1%}" for who, one in found.items())
    levels = ", ".join(
        f"{who} {' / '.join(f'{share:.1%}' for share in one['accuracy_by_level'])}" for who, one in found.items()
    )
    right = f"{found['freeal_node']['on_the_way']:.1%}"
    return [("hierarchical F1", f1), ("right per level", levels), ("freeal_node right as far as it goes", right)]


def backed_off_in_words(final: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many rows have a branch for their node; nothing where labels are no tree."""
    if "tree" not in final:
        return []
    tree = final["tree"]
    return [("backed off to a branch", f"{tree['backed_off']:.1%} of the rows (no label reached {tree['back_off']:g})")]


def _annotators_in_words(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """What each of several language models was asked, cost and is worth; nothing where there is one."""
    return [
        (
            f"language model {place} ({one['model']})",
            f"{one['answered']} texts, {_paid_to(one, metrics['cost'])}"
            + (f", {one['estimated_error']:.1%} of them wrong by estimate" if "estimated_error" in one else "")
            + (f", {1.0 - one['accuracy']:.1%} in truth" if "accuracy" in one else ""),
        )
        for place, one in enumerate(metrics.get("annotators", ()), start=1)
    ]


def _paid_to(one: Mapping[str, Any], cost: Mapping[str, Any]) -> str:
    is_priced = cost.get("is_priced", True) or one["usd"] or one["provider"] == "local"
    return f"{one['usd']:.4f} USD" if is_priced else "at an unknown price"


def _students_in_words(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Among which students the one that was trained was chosen; nothing where one was named."""
    if not found:
        return []
    told = ", ".join(f"{one['model']} {one['log_likelihood']:.3f}" for one in found["candidates"])
    return [("student chosen by log likelihood per text", told)]


def _final_accuracy_in_words(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """The accuracy of the final labels, and of those whose texts were never demonstrations, with their intervals."""
    final = metrics["final"]
    named = {
        "final labels, nobody corrected": final.get("uncorrected", {}),
        "final labels": final,
        "never demonstrations": final.get("holdout", {}),
    }
    return [
        (
            what,
            spelled(found["accuracy"], found["accuracy_interval"], rows=found["evaluated_rows"], of=metrics["rows"]),
        )
        for what, found in named.items()
        if "accuracy_interval" in found
    ]
