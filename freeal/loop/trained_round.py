"""A round whose student was trained: its state, with the demonstrations that the student chose for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.aggregation import label_choice
from freeal.aggregation.label_membership import class_ids
from freeal.aggregation.label_posterior import LabelPosterior
from freeal.aggregation.several_labels_posterior import SeveralLabelsPosterior
from freeal.annotation.round_annotation import Questions
from freeal.evaluation.metrics import Evaluation, round_metrics
from freeal.loop.round_state import RoundState
from freeal.loop.round_training import label_ids
from freeal.selection import demonstration_selection as choose
from freeal.student.protocols import NO_LABEL, Training
from freeal.types import Annotation, Demonstration


def trained_round_state(
    number: int,
    questions: Questions,
    *,
    asked: Sequence[Annotation],
    annotations: Sequence[Annotation],
    shown: Sequence[Demonstration],
    training: Training,
    posterior: LabelPosterior | SeveralLabelsPosterior,
    evaluation: Evaluation,
) -> RoundState:
    """The round, without `changed`, `seconds` and money among its metrics."""
    pool, settings, names, kind = questions.pool, questions.settings, questions.task.names, questions.task.kind
    said = [note.label for note in annotations]
    ids = class_ids(said, names, kind)
    clean_probability = posterior.of(label_ids(annotations, names, kind))
    thresholds = training.thresholds or None
    student_labels, _ = label_choice.labels_of(training.proba, names, kind, thresholds)
    agree = np.array([own == other for own, other in zip(student_labels, said, strict=True)]) & (ids != NO_LABEL)
    agree[list(pool.held_out)] = False
    chosen = choose.representatives(
        training.embeddings,
        ids,
        agree,
        clean_probability,
        per_class=settings.demos_per_class,
        top_share=settings.top_share,
        seed=questions.seed + number,
    )
    metrics: dict[str, Any] = round_metrics(
        number,
        asked=asked,
        annotations=annotations,
        proba=training.proba,
        clean_probability=clean_probability,
        labels=names,
        clean_threshold=settings.clean_threshold,
        evaluation=evaluation,
        kind=kind,
        thresholds=thresholds,
    )
    if training.engine != "local":
        metrics |= {"training_engine": training.engine, "training_processes": training.processes}
    return RoundState(
        round=number,
        asked=tuple(asked),
        annotations=tuple(annotations),
        demonstrations=tuple(shown),
        representatives=tuple(Demonstration(pool.texts[index], str(said[index]), "student", index) for index in chosen),
        held_out=training.held_out,
        posterior=posterior.proba.astype(np.float32),
        clean_probability=clean_probability,
        proba=training.proba,
        embeddings=training.embeddings,
        losses=training.losses,
        metrics=metrics,
    )
