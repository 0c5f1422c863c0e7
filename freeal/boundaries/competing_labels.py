"""Which pairs of labels compete most, without truth: by what the voices say, and what they nearly said.

    competition of a and b = sum over texts of  runner-up mass where the language model hesitates between a and b
                             + 1 where the truth is one and the final label the other (where truth is known)

A language model that gave probabilities hesitates with that of its second label; one that named alternatives, with half
a text for each of them. Of one that named a label only nothing is known: there the student's second label stands in,
and half a text for each on which the two say one each. A student that never gives a label does not know where it
competes: beside probabilities it says nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.pool.text_pool import EMPTY, Pool
from freeal.types import Annotation, Decision

MOST_PAIRS, FEWEST_PAIRS = 5, 3
TEXTS_OF_A_SIDE = 2
LARGE_SHARE = 0.8
"""Pairs are named, from three to five, until they hold so much of the competition."""
_OF_AN_ALTERNATIVE = 0.5
_OF_A_DISAGREEMENT = 0.5
"""One of the two is right more often than not, so half of them are no error of the final label."""


@dataclasses.dataclass(frozen=True, slots=True)
class Competition:
    """Two labels that compete: their part of all competition, how often the voices said one each, how many rows were
    confused where truth is known (None: it is not), and pool indices of texts on which they compete most, by side."""

    labels: tuple[str, str]
    share: float
    disagreed: int
    confused: int | None
    texts: tuple[tuple[int, ...], tuple[int, ...]]


def competing_labels(
    pool: Pool,
    annotations: Sequence[Annotation],
    decisions: Sequence[Decision],
    *,
    labels: Sequence[str],
    proba: np.ndarray | None = None,
) -> list[Competition]:
    """The three to five pairs that compete most, the first most of all; fewer where no more compete.

    `annotations` and `decisions` are by pool index; `proba` [texts, labels] is the student's, where it is at hand.
    """
    by_text = _competition_by_text(annotations, decisions, labels, proba)
    confused = _confused(pool, decisions, labels)
    disagreed = _disagreed(decisions, labels)
    unheard = [one for one, note in zip(decisions, annotations, strict=True) if note.distribution is None]
    size = len(labels)
    total = np.zeros((size, size))
    for (first, second), heat in by_text.items():
        total[first, second] = heat.sum()
    total += _OF_A_DISAGREEMENT * _disagreed(unheard, labels) + (confused if confused is not None else 0.0)
    everything = float(total.sum())
    pairs = sorted(((total[a, b], a, b) for a in range(size) for b in range(a + 1, size)), key=lambda one: -one[0])
    found: list[Competition] = []
    for heat, a, b in pairs[:MOST_PAIRS]:
        if not heat or (len(found) >= FEWEST_PAIRS and sum(one.share for one in found) >= LARGE_SHARE):
            break
        texts = _texts_of_competition(pool, decisions, by_text.get((a, b), np.zeros(len(pool))), (labels[a], labels[b]))
        counted = None if confused is None else int(confused[a, b])
        found.append(
            Competition((labels[a], labels[b]), float(heat / everything), int(disagreed[a, b]), counted, texts)
        )
    return found


def _competition_by_text(
    annotations: Sequence[Annotation], decisions: Sequence[Decision], labels: Sequence[str], proba: np.ndarray | None
) -> dict[tuple[int, int], np.ndarray]:
    """Per pair (a before b) float [texts]: how much the voices compete there."""
    place = {label: number for number, label in enumerate(labels)}
    found: dict[tuple[int, int], np.ndarray] = {}

    def add(index: int, one: int, other: int, heat: float) -> None:
        if one != other and heat > 0.0:
            found.setdefault((min(one, other), max(one, other)), np.zeros(len(decisions)))[index] += heat

    for index, (note, decision) in enumerate(zip(annotations, decisions, strict=True)):
        if note.distribution is not None and decision.llm_label is not None:
            add(index, *_hesitation(np.array(note.distribution)))
        elif note.alternatives and note.label in place:
            for other in note.alternatives:
                if other in place:
                    add(index, place[note.label], place[other], _OF_AN_ALTERNATIVE)
        elif proba is not None:
            add(index, *_hesitation(proba[index]))
        if decision.llm_label in place and decision.student_label in place:
            add(index, place[decision.llm_label], place[decision.student_label], 1e-6)  # a text worth showing
    return found


def _hesitation(distribution: np.ndarray) -> tuple[int, int, float]:
    order = np.argsort(-distribution, kind="stable")
    return int(order[0]), int(order[1]), float(distribution[order[1]])


def _disagreed(decisions: Sequence[Decision], labels: Sequence[str]) -> np.ndarray:
    return _count_competing_pairs([(one.llm_label, one.student_label) for one in decisions], labels)


def _confused(pool: Pool, decisions: Sequence[Decision], labels: Sequence[str]) -> np.ndarray | None:
    if pool.truth is None:
        return None
    rows = zip(pool.row_index, pool.truth, strict=True)
    return _count_competing_pairs([(truth, decisions[at].label) for at, truth in rows if at != EMPTY], labels)


def _count_competing_pairs(pairs: Sequence[tuple[str | None, str | None]], labels: Sequence[str]) -> np.ndarray:
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)))
    for one, other in pairs:
        if one in place and other in place and one != other:
            a, b = sorted((place[one], place[other]))
            counts[a, b] += 1
    return counts


def _texts_of_competition(
    pool: Pool, decisions: Sequence[Decision], heat: np.ndarray, labels: tuple[str, str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of each side's texts those on which the two compete most; near duplicates once."""
    sides = []
    for label in labels:
        chosen: list[int] = []
        for index in np.argsort(-heat, kind="stable").tolist():
            if heat[index] <= 0.0 or len(chosen) == TEXTS_OF_A_SIDE:
                break
            if decisions[index].label == label and pool.group(index) not in {pool.group(one) for one in chosen}:
                chosen.append(index)
        sides.append(tuple(chosen))
    return sides[0], sides[1]
