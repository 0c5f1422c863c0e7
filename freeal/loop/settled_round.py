"""A round whose answers changed too little to train on: they are paid for, so they stand in the audit, and the labels
they mended are kept. The student is that of the round before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.aggregation.label_posterior import LabelPosterior
from freeal.aggregation.several_labels_posterior import SeveralLabelsPosterior
from freeal.evaluation.metrics import Evaluation, round_metrics
from freeal.loop.round_state import RoundState
from freeal.loop.round_training import label_ids
from freeal.types import Annotation, Demonstration, Kind


def settled_round_state(
    previous: RoundState,
    *,
    asked: Sequence[Annotation],
    annotations: Sequence[Annotation],
    shown: Sequence[Demonstration],
    posterior: LabelPosterior | SeveralLabelsPosterior,
    labels: tuple[str, ...],
    clean_threshold: float,
    evaluation: Evaluation,
    kind: Kind = "single",
) -> RoundState:
    """The round after `previous`, without `changed`, `seconds` and money among its metrics; `posterior` weighs the new
    annotations with what the student of before says out of fold."""
    number = previous.round + 1
    clean_probability = posterior.of(label_ids(annotations, labels, kind))
    metrics = round_metrics(
        number,
        asked=asked,
        annotations=annotations,
        proba=previous.proba,
        clean_probability=clean_probability,
        labels=labels,
        clean_threshold=clean_threshold,
        evaluation=evaluation,
        kind=kind,
        thresholds=previous.thresholds,
    )
    return dataclasses.replace(
        previous,
        posterior=posterior.proba.astype(np.float32),
        clean_probability=clean_probability,
        round=number,
        asked=tuple(asked),
        annotations=tuple(annotations),
        demonstrations=tuple(shown),
        metrics=metrics,
        settled=True,
    )
