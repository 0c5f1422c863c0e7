"""The demonstrations of the first round, when nobody trained a student yet.

In this order: the user's own examples; texts the language model writes itself (FreeAL section 3.2, the paper's largest
single gain); for a model that cannot write well but costs nothing, the rows it was surest of without demonstrations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.annotate import Annotator, LabelRequest
from freeal.selection import demonstrations as choose
from freeal.settings import LoopSettings
from freeal.student.base import NO_LABEL, Trainer
from freeal.types import Annotation, Demonstration, Task

_PROTOTYPES = 10
_PER_LABEL_WRITTEN = 8
_SURE_SHARE = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class InitialDemonstrations:
    """What round 1 chooses from, and the zero-shot annotations (of the whole pool, or none) made on the way."""

    demonstrations: tuple[Demonstration, ...]
    annotations: tuple[Annotation, ...] = ()


async def starting_demonstrations(
    task: Task,
    texts: Sequence[str],
    user: Sequence[Demonstration],
    *,
    annotator: Annotator,
    trainer: Trainer,
    settings: LoopSettings,
    seed: int,
) -> InitialDemonstrations:
    """Take, have written or find the first demonstrations."""
    zero_shot: tuple[Annotation, ...] = ()
    if settings.zero_shot == "always" or (settings.zero_shot == "auto" and annotator.free):
        requests = [LabelRequest(index, text) for index, text in enumerate(texts)]
        zero_shot = tuple(await annotator.annotate(requests, task=task, round_number=0))
    if user:
        return InitialDemonstrations(tuple(user), zero_shot)
    if annotator.writes:
        rng = np.random.default_rng(seed)
        picked = rng.choice(len(texts), size=min(_PROTOTYPES, len(texts)), replace=False)
        prototypes = [texts[index] for index in sorted(picked)]
        written = await annotator.write_demonstrations(task, prototypes=prototypes, per_label=_PER_LABEL_WRITTEN)
        in_pool = set(texts)
        return InitialDemonstrations(tuple(demo for demo in written if demo.text not in in_pool), zero_shot)
    surest = _surest(task, texts, zero_shot, trainer=trainer, settings=settings, seed=seed)
    return InitialDemonstrations(tuple(surest), zero_shot)


def _surest(
    task: Task,
    texts: Sequence[str],
    zero_shot: Sequence[Annotation],
    *,
    trainer: Trainer,
    settings: LoopSettings,
    seed: int,
) -> list[Demonstration]:
    """Per label, representatives among the texts the calibrated zero-shot answer was surest of."""
    if not any(note.label is not None for note in zero_shot):
        return []
    names = task.names
    label_ids = np.array([NO_LABEL if note.label is None else names.index(note.label) for note in zero_shot])
    chosen = choose.representatives(
        trainer.embed(texts),
        label_ids,
        label_ids != NO_LABEL,
        np.array([note.confidence for note in zero_shot]),
        per_class=settings.demos_per_class,
        top_share=_SURE_SHARE,
        seed=seed,
    )
    return [Demonstration(texts[index], names[label_ids[index]], "zero_shot", index) for index in chosen]
