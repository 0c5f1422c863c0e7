"""How good it is: against ground truth where the user gave some, by agreement where not.

Everything is counted over the rows of the CSV (a text that stands in ten rows counts ten times), over those whose
label_column holds one of the labels. A row without a label of ours counts as wrong. Texts that a person corrected count
for the final labels, which are what is delivered, and not for the models, which were told. The interval of an accuracy
takes rows of one text, or of near duplicates, for one observation.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from freeal.aggregation.label_choice import labels_of
from freeal.evaluation.confidence_intervals import independent_observations, wilson
from freeal.evaluation.ordinal_metrics import ordinal_metrics
from freeal.evaluation.several_labels_metrics import per_label, several_labels_metrics
from freeal.evaluation.tree_metrics import tree_figures
from freeal.pool.text_pool import EMPTY, Pool
from freeal.text import label_paths
from freeal.text.joined_labels import parts
from freeal.types import Annotation, Decision, Kind, Status

_UNUSABLE = frozenset({Status.INVALID_ANSWER, Status.REFUSED, Status.API_ERROR})
_COVERAGES = tuple(step / 20 for step in range(1, 21))
_CALIBRATION_BINS = 10


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Ground truth of a pool, as pairs of (pool index or EMPTY, true label), one per row that has any.

    `groups[index]` are the pool's, where near duplicates were looked for.
    """

    pairs: tuple[tuple[int, str], ...]
    groups: tuple[int, ...] | None = None

    @classmethod
    def of(cls, pool: Pool, *, told: Container[int] = ()) -> Evaluation:
        """The evaluation of a pool; empty when the user gave no label column.

        Texts whose label a person gave (`told`, pool indices) say nothing about the models, as the user's own examples
        do not.
        """
        if pool.truth is None:
            return cls(())
        rows = zip(pool.row_index, pool.truth, strict=True)
        known = ((index, truth) for index, truth in rows if truth is not None)
        return cls(tuple((index, truth) for index, truth in known if index not in told), pool.groups)

    def interval(self, share: float) -> tuple[float, float]:
        """The metric `accuracy_interval`: the 95 % interval of an accuracy of `share` measured on all pairs."""
        kinds = (
            (number, EMPTY) if index == EMPTY else self.groups[index] if self.groups else index
            for number, (index, _) in enumerate(self.pairs)
        )
        size = independent_observations(kinds)
        return wilson(share * size, size)

    def accuracy(self, labels: Sequence[str | None]) -> float | None:
        """Share of rows whose label (given by pool index) is the true one; None without ground truth."""
        if not self.pairs:
            return None
        return sum(index != EMPTY and labels[index] == truth for index, truth in self.pairs) / len(self.pairs)

    def annotation_accuracy(self, annotations: Sequence[Annotation]) -> float | None:
        """The accuracy of annotations, of some pool texts perhaps; None without ground truth or annotations.

        A text that was not asked about is nobody's mistake and does not count; an unusable answer does.
        """
        labels = {note.index: note.label for note in annotations if Status.NOT_ASKED not in note.statuses}
        if not self.pairs or not labels:
            return None
        counted = [(labels.get(index), truth) for index, truth in self.pairs if index == EMPTY or index in labels]
        return sum(label == truth for label, truth in counted) / len(counted) if counted else None

    def selected(self, keep: Sequence[bool]) -> Evaluation:
        """The evaluation of some pool texts only."""
        kept = tuple((index, truth) for index, truth in self.pairs if index != EMPTY and keep[index])
        return Evaluation(kept, self.groups)


def round_metrics(
    number: int,
    *,
    asked: Sequence[Annotation],
    annotations: Sequence[Annotation],
    proba: np.ndarray,
    clean_probability: np.ndarray,
    labels: tuple[str, ...],
    clean_threshold: float,
    evaluation: Evaluation,
    kind: Kind = "single",
    thresholds: Sequence[float] | None = None,
) -> dict[str, Any]:
    """A round's entry of metrics.json (CONTRACT: rounds), without what only the loop knows (changed, seconds, usd).

    `proba` [n, labels] is the student's, `clean_probability` [n] that of the annotations' labels; `thresholds` [labels]
    are the student's, where a text may have several: an accuracy is then of exactly the right ones.
    """
    llm_labels = [None if Status.CORRECTED in note.statuses else note.label for note in annotations]
    student_labels, _ = labels_of(proba, labels, kind, thresholds)
    clean = [
        note.label is not None and float(probability) > clean_threshold
        for note, probability in zip(annotations, clean_probability, strict=True)
    ]
    entry: dict[str, Any] = {
        "round": number,
        "asked": len(asked),
        "answered": sum(note.is_answer for note in asked),
        "invalid": sum(bool(_UNUSABLE.intersection(note.statuses)) for note in asked),
        "clean": sum(clean),
        "agreement": _agreement(llm_labels, student_labels),
    }
    if thresholds is not None:
        entry["thresholds"] = dict(zip(labels, thresholds, strict=True))
    known = {
        "llm_accuracy": evaluation.annotation_accuracy(annotations),
        "student_accuracy": evaluation.accuracy(student_labels),
        "clean_purity": evaluation.selected(clean).accuracy(llm_labels),
    }
    return entry | {name: round(value, 4) for name, value in known.items() if value is not None}


def _in_tenths(confidence: Sequence[float]) -> list[int]:
    """How many lie in each tenth from 0 to 1."""
    return [int(number) for number in np.histogram(confidence, bins=10, range=(0.0, 1.0))[0]]


def final_metrics(
    decisions: Sequence[Decision],
    pool: Pool,
    labels: tuple[str, ...],
    *,
    kind: Kind = "single",
    back_off: float = label_paths.BACK_OFF,
) -> dict[str, Any]:
    """The `final` part of metrics.json."""
    per_row = [None if index == EMPTY else decisions[index] for index in pool.row_index]
    given_labels = [one.label for one in per_row if one is not None and one.label is not None]
    counts = Counter(name for label in given_labels for name in parts(label, kind))
    final: dict[str, Any] = {
        "abstained": sum(decision is not None and decision.label is None for decision in per_row),
        "llm_student_agreement": _agreement(
            [one.llm_label for one in decisions], [one.student_label for one in decisions]
        ),
        "label_counts": {label: counts.get(label, 0) for label in labels},
        "confidence_counts": _in_tenths([one.confidence for one in per_row if one is not None]),
    }
    if kind == "tree":
        final["tree"] = tree_figures(per_row, pool.truth_nodes, labels) | {"back_off": back_off}
    evaluation = Evaluation.of(pool)
    if not evaluation.pairs:
        return final
    truth = [label for _, label in evaluation.pairs]
    judged = [None if index == EMPTY else decisions[index] for index, _ in evaluation.pairs]
    given = [decision.label if decision is not None else None for decision in judged]
    confidence = np.array([decision.confidence if decision is not None else 0.0 for decision in judged])
    right = np.array([a == b for a, b in zip(given, truth, strict=True)])
    # confidence speaks of the label that was held back as well
    likeliest = [decision.likeliest if decision is not None else None for decision in judged]
    meant = np.array([a == b for a, b in zip(likeliest, truth, strict=True)])
    return (
        final
        | (
            _several_labels_figures(truth, judged, labels)
            if kind == "multi"
            else _per_class_metrics(truth, given, labels)
        )
        | (_order(truth, judged, labels) if kind == "ordinal" else {})
        | _holdout_metrics(decisions, pool, evaluation)
        | _uncorrected_metrics(decisions, pool)
        | {
            "accuracy": round(float(right.mean()), 4),
            "accuracy_interval": _rounded(evaluation.interval(float(right.mean()))),
            "evaluated_rows": len(truth),
            "mean_confidence": round(float(confidence.mean()), 4),
            "calibration_error": round(calibration_error(confidence, meant), 4),
            "coverage_curve": coverage_curve(confidence, meant),
        }
    )


def _order(truth: Sequence[str], judged: Sequence[Decision | None], labels: tuple[str, ...]) -> dict[str, Any]:
    """How far off the final labels are, and those of either model alone."""
    return {"order": {who: ordinal_metrics(truth, given, labels) for who, given in _labels_by_model(judged).items()}}


def _several_labels_figures(
    truth: Sequence[str], judged: Sequence[Decision | None], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Each label by itself, and all together: of the final labels, and of those of either model alone."""
    said = _labels_by_model(judged)
    found = {who: several_labels_metrics(truth, given, labels) for who, given in said.items()}
    own = per_label(truth, said["final"], labels)
    return {"macro_f1": found["final"]["macro_f1"], "per_class": own, "several_labels": found}


def _labels_by_model(judged: Sequence[Decision | None]) -> dict[str, list[str | None]]:
    return {
        "final": [None if one is None else one.label for one in judged],
        "llm": [None if one is None else one.llm_label for one in judged],
        "student": [None if one is None else one.student_label for one in judged],
    }


def _holdout_metrics(decisions: Sequence[Decision], pool: Pool, evaluation: Evaluation) -> dict[str, Any]:
    """The final metrics over the rows whose texts were never demonstrations (loop.holdout_share); nothing where none
    were."""
    if not pool.held_out:
        return {}
    unshown = evaluation.selected([index in pool.held_out for index in range(len(pool))])
    found: dict[str, Any] = {"distinct_rows": len(pool.held_out), "evaluated_rows": len(unshown.pairs)}
    accuracy = unshown.accuracy([one.label for one in decisions])
    if accuracy is not None:
        found |= {"accuracy": round(accuracy, 4), "accuracy_interval": _rounded(unshown.interval(accuracy))}
    return {"holdout": found}


def _uncorrected_metrics(decisions: Sequence[Decision], pool: Pool) -> dict[str, Any]:
    """The same for the rows that no person corrected, the only ones the models' own figures speak of; nothing where
    nobody corrected any."""
    corrected = {index for index, one in enumerate(decisions) if one.source == "corrected"}
    rest = Evaluation.of(pool, told=corrected)
    accuracy = rest.accuracy([one.label for one in decisions])
    if not corrected or accuracy is None:
        return {}
    found = {
        "evaluated_rows": len(rest.pairs),
        "accuracy": round(accuracy, 4),
        "accuracy_interval": _rounded(rest.interval(accuracy)),
    }
    return {"uncorrected": found}


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 4) for end in interval]


def _per_class_metrics(truth: Sequence[str], given: Sequence[str | None], labels: tuple[str, ...]) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    answers = ["" if label is None else label for label in given]
    scores = precision_recall_fscore_support(truth, answers, labels=list(labels), zero_division=0.0)
    names = ("precision", "recall", "f1", "rows")
    per_class = {
        label: {name: round(float(values[position]), 4) for name, values in zip(names, scores, strict=True)}
        for position, label in enumerate(labels)
    }
    for entry in per_class.values():
        entry["rows"] = int(entry["rows"])
    present = [entry["f1"] for entry in per_class.values() if entry["rows"]]
    return {"macro_f1": round(float(np.mean(present)), 4), "per_class": per_class}


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error over ten equal bins of confidence (Guo et al. 2017); both arrays are [rows]."""
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = [
        (bins == number).mean() * abs(confidence[bins == number].mean() - right[bins == number].mean())
        for number in range(_CALIBRATION_BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps))


def coverage_curve(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    """Accuracy when only the surest share of the rows is labelled, and the confidence that share begins at."""
    order = np.argsort(-confidence, kind="stable")
    curve = []
    for coverage in _COVERAGES:
        kept = order[: max(1, round(coverage * len(order)))]
        point = {"coverage": coverage, "accuracy": right[kept].mean(), "threshold": confidence[kept[-1]]}
        curve.append({name: round(float(value), 4) for name, value in point.items()})
    return curve


def _agreement(llm_labels: Sequence[str | None], student_labels: Sequence[str]) -> float:
    """Share of the texts the language model labelled to which the student gives the same label."""
    pairs = zip(llm_labels, student_labels, strict=True)
    return _share([said == learned for said, learned in pairs if said is not None])


def _share(claims: Sequence[bool]) -> float:
    return round(sum(claims) / len(claims), 4) if claims else 0.0
