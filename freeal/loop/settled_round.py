"""A round whose answers changed too little to train on: they are paid for, so they stand in the audit, and the labels
they mended are kept. The student is that of the round before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.evaluation.metrics import Evaluation, round_metrics
from freeal.loop.round_state import RoundState
from freeal.types import Annotation, Demonstration


def state(
    previous: RoundState,
    *,
    asked: Sequence[Annotation],
    annotations: Sequence[Annotation],
    shown: Sequence[Demonstration],
    labels: tuple[str, ...],
    clean_threshold: float,
    evaluation: Evaluation,
) -> RoundState:
    """The round after `previous`, without `changed`, `seconds` and money among its metrics."""
    number = previous.round + 1
    judged = dataclasses.replace(previous, clean_probability=_clean_probability(previous, annotations, labels))
    metrics = round_metrics(
        number,
        asked=asked,
        annotations=annotations,
        training=judged,
        labels=labels,
        clean_threshold=clean_threshold,
        evaluation=evaluation,
    )
    return dataclasses.replace(
        judged,
        round=number,
        asked=tuple(asked),
        annotations=tuple(annotations),
        demonstrations=tuple(shown),
        metrics=metrics,
        settled=True,
    )


def _clean_probability(previous: RoundState, annotations: Sequence[Annotation], labels: tuple[str, ...]) -> np.ndarray:
    """That of the round before, which spoke of its labels; of a new label, what the student gives it: it has not
    learned from that one."""
    clean = previous.clean_probability.copy()
    for index, (old, new) in enumerate(zip(previous.annotations, annotations, strict=True)):
        if new.label != old.label:
            clean[index] = 0.0 if new.label is None else previous.proba[index, labels.index(new.label)]
    return clean
