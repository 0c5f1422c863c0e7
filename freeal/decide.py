"""The final label of each pool text, from what the LLM said, what the student says and how far the LLM is trusted."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from freeal.state import RoundState

Source = Literal["llm+student", "student", "llm", "abstained", "failed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """One text's outcome. `label` is None where we abstained; `confidence` is the probability of the best label."""

    label: str | None
    confidence: float
    source: Source
    llm_label: str | None
    student_label: str
    clean: float
    round: int


def decide(state: RoundState, labels: tuple[str, ...], *, abstain_below: float) -> list[Decision]:
    """One decision per pool text, in pool order.

    With P(clean) = c from the loss mixture, the LLM's label y and the student's calibrated probabilities p, the final
    distribution is c * onehot(y) + (1 - c) * p: the LLM is right with probability c, and where it is not, the student
    decides. A text without a usable LLM answer has c = 0.
    """
    return [_decision(index, state, labels, abstain_below=abstain_below) for index in range(len(state.annotations))]


def _decision(index: int, state: RoundState, labels: tuple[str, ...], *, abstain_below: float) -> Decision:
    annotation = state.annotations[index]
    clean = float(state.clean_probability[index]) if annotation.label is not None else 0.0
    student = state.proba[index]
    mixed = (1.0 - clean) * student
    if annotation.label is not None:
        mixed[labels.index(annotation.label)] += clean
    best = int(np.argmax(mixed))
    label, student_label = labels[best], labels[int(np.argmax(student))]
    confidence = float(min(1.0, mixed[best]))
    source: Source = "student" if label == student_label else "llm"
    if label == student_label == annotation.label:
        source = "llm+student"
    abstained = confidence < abstain_below
    return Decision(
        label=None if abstained else label,
        confidence=confidence,
        source="abstained" if abstained else source,
        llm_label=annotation.label,
        student_label=student_label,
        clean=clean,
        round=annotation.round,
    )
