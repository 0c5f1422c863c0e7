"""The final label of each pool text: the likeliest when freeal/aggregation/label_posterior.py has weighed all."""

from __future__ import annotations

import numpy as np

from freeal.loop.round_state import RoundState
from freeal.types import Annotation, Decision, Source, Status


def decide(state: RoundState, labels: tuple[str, ...], *, abstain_below: float) -> list[Decision]:
    """One decision per pool text, in pool order.

    The label is the posterior's likeliest and its confidence the probability of it; below `abstain_below` there is
    none. What a person corrected stays as it is.
    """
    return [_decision(index, state, labels, abstain_below=abstain_below) for index in range(len(state.annotations))]


def _decision(index: int, state: RoundState, labels: tuple[str, ...], *, abstain_below: float) -> Decision:
    annotation = state.annotations[index]
    best = int(np.argmax(state.posterior[index]))
    label, student_label = labels[best], labels[int(np.argmax(state.proba[index]))]
    confidence = float(min(1.0, state.posterior[index, best]))
    abstained = confidence < abstain_below
    return Decision(
        label=None if abstained else label,
        confidence=confidence,
        source="abstained" if abstained else _source(label, annotation, student_label),
        llm_label=None if Status.CORRECTED in annotation.statuses else annotation.label,
        student_label=student_label,
        clean=float(state.clean_probability[index]),
        round=annotation.round,
        held_back=label if abstained else None,
    )


def _source(label: str, annotation: Annotation, student_label: str) -> Source:
    if Status.CORRECTED in annotation.statuses:
        return "corrected"
    if label == annotation.label:
        return "llm+student" if label == student_label else "llm"
    return "student"
