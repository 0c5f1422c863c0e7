"""What each language model of a job said so far about each text, round by round."""

from __future__ import annotations

from collections.abc import Sequence

from freeal.aggregation import answer_ensemble
from freeal.loop.known_labels import Known
from freeal.loop.round_state import RoundState
from freeal.types import Annotation, Status

Opinions = Sequence[Sequence[Annotation]]
"""Of each language model, in their order, one annotation per pool text."""


def opinions(
    previous: RoundState | None,
    answers: Sequence[Annotation],
    known: Known,
    *,
    labels: tuple[str, ...],
    pool_size: int,
    models: int,
) -> list[list[Annotation]]:
    """With the new `answers` of any of the `models`, after the round `previous`; at first, after what is `known`."""
    before: Opinions = (known.annotations,) if previous is None else previous.opinions or (previous.annotations,)
    return [
        merged(
            before[place] if place < len(before) else (),
            [note for note in answers if note.annotator == place],
            known,
            labels=labels,
            pool_size=pool_size,
        )
        for place in range(models)
    ]


def merged(
    before: Sequence[Annotation],
    answers: Sequence[Annotation],
    known: Known,
    *,
    labels: tuple[str, ...],
    pool_size: int,
) -> list[Annotation]:
    """One model's annotations, one per pool text, with new answers and what a person said in their place; a text it was
    not asked about is NOT_ASKED."""
    unasked = {index: Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0) for index in range(pool_size)}
    told = list((unasked | {note.index: note for note in before}).values())
    return known.settle(answer_ensemble.merge(told, answers, labels=labels, pool_size=pool_size), labels)
