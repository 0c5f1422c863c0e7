"""The demonstrations of the first round, when nobody trained a student yet.

In this order: the user's own examples and, where the table holds true labels that may be taught (`label_use`), the most
representative of those; texts the language model writes itself (FreeAL section 3.2, the paper's largest
single gain); for a model that cannot write well but costs nothing, the rows it was surest of without demonstrations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from freeal.aggregation.label_membership import class_ids
from freeal.annotation.annotator import LabelRequest
from freeal.annotation.round_annotation import Questions
from freeal.selection import demonstration_selection as choose
from freeal.student.protocols import NO_LABEL
from freeal.text.joined_labels import parts
from freeal.text.repeated_text import normal
from freeal.types import Annotation, Demonstration

_PROTOTYPES = 10
_PER_LABEL_WRITTEN = 8
_SURE_SHARE = 0.1
_CHECKED_UP_TO = 0.1
"""Written texts are checked where they are at most this share of the pool: the check costs a call each."""
_MOST_TO_FEWEST = 2
"""How many times as many demonstrations a label may have as the one with the fewest."""


@dataclasses.dataclass(frozen=True, slots=True)
class InitialDemonstrations:
    """What round 1 chooses from, and the zero-shot annotations (of the texts it will ask about, or none)."""

    demonstrations: tuple[Demonstration, ...]
    annotations: tuple[Annotation, ...] = ()


async def starting_demonstrations(
    questions: Questions,
    user: Sequence[Demonstration],
    *,
    indices: Sequence[int],
    taught: Mapping[int, str] = MappingProxyType({}),
) -> InitialDemonstrations:
    """Take, have written or find the first demonstrations; only texts at `indices` may be asked about.

    `taught` are true labels by pool index.
    """
    zero_shot: tuple[Annotation, ...] = ()
    wanted = questions.settings.zero_shot
    if wanted == "always" or (wanted == "auto" and questions.annotator.free):
        zero_shot = tuple(await questions.zero_shot(indices))
    known = [*user, *await _demonstrations_of_known_labels(questions, taught)]
    kind = questions.task.kind
    covered = {name for demo in known for name in parts(demo.label, kind)}
    if user or covered.issuperset(questions.task.names):
        return InitialDemonstrations(tuple(known), zero_shot)
    if questions.annotator.writes:
        found = await _written_demonstrations(questions)
    else:
        found = await _demonstrations_of_surest(questions, await questions.with_meanings(zero_shot))
    new = (demo for demo in found if not covered.issuperset(parts(demo.label, kind) or (demo.label,)))
    return InitialDemonstrations((*known, *new), zero_shot)


async def _written_demonstrations(questions: Questions) -> list[Demonstration]:
    """Texts the model writes class by class in the style of a few random rows: none of them a row of the pool, none
    that the model itself would label otherwise, and of no label many times as many as of another."""
    texts = questions.pool.texts
    rng = np.random.default_rng(questions.seed)
    showable = [index for index in range(len(texts)) if index not in questions.pool.held_out]
    picked = rng.choice(len(showable), size=min(_PROTOTYPES, len(showable)), replace=False)
    prototypes = [texts[showable[place]] for place in sorted(picked)]
    written = await questions.annotator.write_demonstrations(
        questions.task, prototypes=prototypes, per_label=_PER_LABEL_WRITTEN
    )
    in_pool = {normal(text) for text in texts}
    new = [demo for demo in written if normal(demo.text) not in in_pool]
    if 0 < len(new) <= _CHECKED_UP_TO * len(texts):
        new = await _confirmed_demonstrations(questions, new)
    return _balanced_demonstrations(new)


async def _confirmed_demonstrations(questions: Questions, written: Sequence[Demonstration]) -> list[Demonstration]:
    """Those whose label the model gives again when it is asked; all of a label's where it would lose every one."""
    requests = [LabelRequest(number, demo.text) for number, demo in enumerate(written)]
    answers = await questions.annotator.annotate(requests, task=questions.task, round_number=0)
    confirmed = [demo for demo, note in zip(written, answers, strict=True) if note.label in (None, demo.label)]
    covered = {demo.label for demo in confirmed}
    return [demo for demo in written if demo in confirmed or demo.label not in covered]


def _balanced_demonstrations(written: Sequence[Demonstration]) -> list[Demonstration]:
    counts = {label: sum(demo.label == label for demo in written) for label in {demo.label for demo in written}}
    most = _MOST_TO_FEWEST * min(counts.values(), default=0)
    taken = dict.fromkeys(counts, 0)
    kept = []
    for demo in written:
        taken[demo.label] += 1
        if taken[demo.label] <= most:
            kept.append(demo)
    return kept


async def _demonstrations_of_known_labels(questions: Questions, taught: Mapping[int, str]) -> list[Demonstration]:
    """Per label, representatives of the texts whose label is known."""
    names, texts = questions.task.names, questions.pool.texts
    showable = [index for index in taught if index not in questions.pool.held_out]
    if not showable:
        return []
    chosen = choose.representatives(
        await questions.embed([texts[index] for index in showable]),
        class_ids([taught[index] for index in showable], names, questions.task.kind),
        np.ones(len(showable), dtype=bool),
        np.ones(len(showable)),
        per_class=questions.settings.demos_per_class,
        top_share=1.0,
        seed=questions.seed,
    )
    return [
        Demonstration(texts[index], taught[index], "given", index) for index in (showable[place] for place in chosen)
    ]


async def _demonstrations_of_surest(questions: Questions, zero_shot: Sequence[Annotation]) -> list[Demonstration]:
    """Per label, representatives among the texts the calibrated zero-shot answer was surest of."""
    if not any(note.label is not None for note in zero_shot):
        return []
    names, texts = questions.task.names, questions.pool.texts
    label_ids = class_ids([note.label for note in zero_shot], names, questions.task.kind)
    held_out = np.array([note.index in questions.pool.held_out for note in zero_shot])
    chosen = choose.representatives(
        await questions.embed([texts[note.index] for note in zero_shot]),
        label_ids,
        (label_ids != NO_LABEL) & ~held_out,
        np.array([note.confidence for note in zero_shot]),
        per_class=questions.settings.demos_per_class,
        top_share=_SURE_SHARE,
        seed=questions.seed,
    )
    found = [zero_shot[position] for position in chosen]
    return [Demonstration(texts[note.index], str(note.label), "zero_shot", note.index) for note in found]
