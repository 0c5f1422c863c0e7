"""What each language model of a job said so far about each text, round by round."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from freeal.aggregation.answer_ensemble import pool_answers
from freeal.loop.known_labels import Known
from freeal.loop.round_state import RoundState
from freeal.types import Annotation, Kind, Status

Opinions = Sequence[Sequence[Annotation]]
"""Of each language model, in their order, one annotation per pool text."""


def merge_opinions(
    previous: RoundState | None,
    answers: Sequence[Annotation],
    known: Known,
    *,
    labels: tuple[str, ...],
    kind: Kind = "single",
    pool_size: int,
    models: int,
) -> list[list[Annotation]]:
    """With the new `answers` of any of the `models`, after the round `previous`; at first, after what is `known`."""
    if previous is None:
        before: Opinions = [
            [note for note in known.annotations if min(note.annotator, models - 1) == place] for place in range(models)
        ]
    else:
        before = previous.opinions or (previous.annotations,)
    found = [
        merge_with_known(
            before[place] if place < len(before) else (),
            [note for note in answers if note.annotator == place],
            known,
            labels=labels,
            kind=kind,
            pool_size=pool_size,
        )
        for place in range(models)
    ]
    return found if previous is not None else [[_of_its_question(note, known) for note in notes] for notes in found]


def of_annotator(place: int, notes: Sequence[Annotation]) -> list[Annotation]:
    """The same as said by the language model at this place in the job's order."""
    return [note if note.annotator == place else dataclasses.replace(note, annotator=place) for note in notes]


def _of_its_question(note: Annotation, known: Known) -> Annotation:
    """Of a text that is asked about again only the new answer counts: what is known of it answered another question."""
    return dataclasses.replace(note, earlier=()) if note.index in known.open_texts else note


def merge_with_known(
    before: Sequence[Annotation],
    answers: Sequence[Annotation],
    known: Known,
    *,
    labels: tuple[str, ...],
    kind: Kind = "single",
    pool_size: int,
) -> list[Annotation]:
    """One model's annotations, one per pool text, with new answers and what a person said in their place; a text it was
    not asked about is NOT_ASKED."""
    unasked = set(range(pool_size)).difference(note.index for note in before)
    unasked.difference_update(note.index for note in answers)
    told = [*before, *(Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0) for index in unasked)]
    best = merge_annotations(told, answers, labels=labels, pool_size=pool_size, kind=kind)
    return known.with_known_labels(best, labels, kind)


def merge_annotations(
    known: Sequence[Annotation],
    asked: Sequence[Annotation],
    *,
    labels: Sequence[str],
    pool_size: int,
    kind: Kind = "single",
) -> list[Annotation]:
    """The best annotation per pool index after new answers came in; an unusable answer never replaces a usable one.

    Raises KeyError when a pool index has neither a known nor a new annotation.
    """
    merged = {note.index: note for note in known}
    for note in asked:
        old = merged.get(note.index)
        merged[note.index] = note if old is None else pool_answers([old, note], labels, kind)
    return [merged[index] for index in range(pool_size)]
