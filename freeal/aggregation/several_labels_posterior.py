"""All voices weighed where a text may have several labels: each label is a question of its own, yes or no, and its
answers are weighed as those about two labels are (label_posterior.py). So every label has its own error of the
annotator, estimated without truth, and its own share: a clean split class by class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.aggregation import label_choice
from freeal.aggregation.label_membership import membership
from freeal.aggregation.label_posterior import Evidence
from freeal.student.labelled_texts import Weigh
from freeal.student.protocols import NO_LABEL
from freeal.types import Annotation, Status


@dataclasses.dataclass(frozen=True, slots=True)
class SeveralLabelsPosterior:
    """`proba` float64 [n, labels]: each label's own probability."""

    proba: np.ndarray

    def of(self, said: np.ndarray) -> np.ndarray:
        """The probability of exactly the labels of a membership [n, labels], float32 [n]; 0 in rows of NO_LABEL."""
        known = (said != NO_LABEL).all(axis=1)
        return np.where(known, label_choice.of_members(self.proba, said == 1), 0.0).astype(np.float32)


@dataclasses.dataclass(frozen=True, slots=True)
class SeveralLabelsEvidence:
    """What is said about n texts beside the student: the evidence about each label, of the ids 0 (no) and 1 (yes)."""

    each: tuple[Evidence, ...]

    @property
    def weigh_each(self) -> tuple[Weigh, ...]:
        """What a student is to be taught of each label, from its out-of-fold logits [n, 2]."""
        return tuple(one.targets for one in self.each)

    def posterior(self, logits: np.ndarray) -> SeveralLabelsPosterior:
        """Everything weighed together with the student's out-of-fold `logits` [n, labels], of yes against no."""
        found = [one.posterior(binary(logits[:, place])).proba[:, 1] for place, one in enumerate(self.each)]
        return SeveralLabelsPosterior(np.stack(found, axis=1))


def binary(logits: np.ndarray) -> np.ndarray:
    """Logits of no and yes, [n, 2], from those of yes against no, [n]."""
    half = np.asarray(logits, dtype=np.float64) / 2
    return np.stack([-half, half], axis=1)


def evidence_of_several_labels(annotations: Sequence[Annotation], names: tuple[str, ...]) -> SeveralLabelsEvidence:
    """The evidence in annotations, one per text."""
    by_person = np.array([Status.CORRECTED in note.statuses for note in annotations], dtype=bool)
    said = membership([note.label for note in annotations], names)
    scored = np.array([note.distribution is not None for note in annotations], dtype=bool) & ~by_person
    scored &= (said != NO_LABEL).all(axis=1)
    shares = np.zeros(said.shape)
    for position in np.flatnonzero(scored).tolist():
        shares[position] = annotations[position].distribution
    before = _earlier_counts(annotations, names)
    each = []
    for place in range(len(names)):
        own = np.stack([1.0 - shares[:, place], shares[:, place]], axis=1)
        each.append(
            Evidence(
                np.where(by_person, NO_LABEL, said[:, place]),
                np.where(scored[:, None], own, 0.0),
                np.where(by_person, said[:, place], NO_LABEL),
                earlier=None if before is None else before[:, place],
            )
        )
    return SeveralLabelsEvidence(tuple(each))


def _earlier_counts(annotations: Sequence[Annotation], names: tuple[str, ...]) -> np.ndarray | None:
    """How often each label was said and not said in earlier rounds, [n, labels, 2]; None where nothing was."""
    if not any(note.earlier for note in annotations):
        return None
    found = np.zeros((len(annotations), len(names), 2))
    for position, note in enumerate(annotations):
        for row in membership(note.earlier, names):
            found[position, np.arange(len(names)), row] += 1.0
    return found
