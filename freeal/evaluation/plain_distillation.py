"""What the rounds are worth: a student fine-tuned plainly on the first round's labels, as one would without them."""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread
import numpy as np

from freeal.aggregation.label_choice import labels_of
from freeal.aggregation.label_membership import class_ids, membership
from freeal.compute.device_turn import DeviceTurn, always
from freeal.compute.listener import OnStep, unwatched
from freeal.evaluation.metrics import Evaluation
from freeal.pool.text_pool import Pool
from freeal.settings import StudentSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import Trainer
from freeal.types import Annotation, Kind


def plain(settings: StudentSettings) -> StudentSettings:
    """The same student without any robust part: cross entropy on all labels as they are."""
    return settings.model_copy(update={"clean_split": "none", "mixup": False, "consistency": "never"})


async def plain_distillation(
    pool: Pool,
    annotations: Sequence[Annotation],
    trainer: Trainer,
    *,
    names: tuple[str, ...],
    kind: Kind = "single",
    seed: int,
    turn: DeviceTurn = always,
    on_step: OnStep = unwatched,
) -> float | None:
    """Accuracy on the pool of a student of `trainer` (made with `plain` settings) taught by `annotations`, one per pool
    text; None without ground truth. The true labels only judge it. `on_step` may raise to stop it."""
    evaluation = Evaluation.of(pool)
    if not evaluation.pairs:
        return None
    said = [note.label for note in annotations]
    label_ids = membership(said, names) if kind == "multi" else class_ids(said, names, kind).tolist()
    data = LabelledTexts(pool.texts, label_ids, groups=None if pool.groups is None else np.array(pool.groups))
    async with turn():
        training = await anyio.to_thread.run_sync(lambda: trainer.fit(data, labels=names, seed=seed, on_step=on_step))
    return evaluation.accuracy(labels_of(training.proba, names, kind)[0])
