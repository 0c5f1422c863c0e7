"""The final label of each pool text: what stands for the posterior of all voices (freeal/aggregation/)."""

from __future__ import annotations

import dataclasses

from freeal.aggregation.label_choice import labels_of
from freeal.aggregation.tree_nodes import deepest_nodes
from freeal.loop.round_state import RoundState
from freeal.text.label_paths import BACK_OFF
from freeal.types import Annotation, Decision, Kind, Source, Status


def decide_final_labels(
    state: RoundState,
    labels: tuple[str, ...],
    *,
    abstain_below: float,
    kind: Kind = "single",
    back_off: float = BACK_OFF,
) -> list[Decision]:
    """One decision per pool text, in pool order.

    The label is the one that stands for the posterior (freeal/aggregation/label_choice.py) and its confidence the
    probability of it; below `abstain_below` there is none. What a person corrected stays as it is. Of labels that are a
    tree, the deepest node that reaches `back_off` is named as well; one that is a label, only where one is given.
    """
    final, sure = labels_of(state.posterior, labels, kind)
    student, _ = labels_of(state.proba, labels, kind, state.thresholds)
    found = [
        _final_decision(
            index, state, student[index], final[index], float(min(1.0, sure[index])), abstain_below=abstain_below
        )
        for index in range(len(state.annotations))
    ]
    if kind != "tree":
        return found
    nodes, shares = deepest_nodes(state.posterior, labels, threshold=max(back_off, abstain_below))
    return [
        dataclasses.replace(one, node=node, node_confidence=share)
        for one, node, share in zip(found, nodes, shares.tolist(), strict=True)
    ]


def _final_decision(
    index: int, state: RoundState, student_label: str, label: str, confidence: float, *, abstain_below: float
) -> Decision:
    annotation = state.annotations[index]
    abstained = confidence < abstain_below
    return Decision(
        label=None if abstained else label,
        confidence=confidence,
        source="abstained" if abstained else _source_of_label(label, annotation, student_label),
        llm_label=None if Status.CORRECTED in annotation.statuses else annotation.label,
        student_label=student_label,
        clean=float(state.clean_probability[index]),
        round=annotation.round,
        held_back=label if abstained else None,
        llm_branch=annotation.branch,
    )


def _source_of_label(label: str, annotation: Annotation, student_label: str) -> Source:
    if Status.CORRECTED in annotation.statuses:
        return "corrected"
    if label == annotation.label:
        return "llm+student" if label == student_label else "llm"
    return "student"
