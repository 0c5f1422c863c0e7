"""Whether a set of labels fits the texts, without truth: labels that no text gets, labels that are not told apart,
texts that cannot be answered, and texts that lie together and for which no voice is sure of a label."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from freeal.boundaries.competing_labels import competing_labels
from freeal.boundaries.uncovered_texts import uncovered_groups
from freeal.pool.text_pool import Pool
from freeal.types import Annotation, Decision, Status

OVERLAP_SHARE = 0.2
"""Of the texts of two labels: from so many on which the voices say one each, the two overlap."""
FEWEST_TEXTS = 4
"""Fewer are no overlap."""
_UNANSWERED = {Status.INVALID_ANSWER, Status.REFUSED, Status.API_ERROR}


@dataclasses.dataclass(frozen=True, slots=True)
class LabelSetFinding:
    """Something about the label set that its owner should know. `texts` are pool indices of examples."""

    kind: Literal["unused", "overlap", "unanswered", "uncovered"]
    message: str
    labels: tuple[str, ...] = ()
    share: float = 0.0
    texts: tuple[int, ...] = ()

    def as_dict(self, pool: Pool) -> dict[str, Any]:
        """For a JSON file; examples as texts."""
        return dataclasses.asdict(self) | {"texts": [pool.texts[index] for index in self.texts]}


def check_label_set(
    pool: Pool,
    annotations: Sequence[Annotation],
    decisions: Sequence[Decision],
    *,
    labels: Sequence[str],
    embeddings: np.ndarray,
) -> list[LabelSetFinding]:
    """All findings, the gravest first. `annotations` and `decisions` are by pool index, `embeddings` [texts, width] are
    the student's."""
    return [
        *_uncovered_text_groups(pool, decisions, embeddings, labels=len(labels)),
        *_overlapping_labels(pool, annotations, decisions, labels),
        *_unused_labels(decisions, labels),
        *_unanswered_texts(annotations),
    ]


def _unused_labels(decisions: Sequence[Decision], labels: Sequence[str]) -> list[LabelSetFinding]:
    given = Counter(one.label for one in decisions)
    unused = tuple(label for label in labels if not given[label])
    if not unused:
        return []
    named = ", ".join(unused)
    message = f"no text got {named}: say what it means, or leave it out if these texts hold none of it"
    return [LabelSetFinding("unused", message, unused, len(unused) / len(labels))]


def _overlapping_labels(
    pool: Pool, annotations: Sequence[Annotation], decisions: Sequence[Decision], labels: Sequence[str]
) -> list[LabelSetFinding]:
    given = Counter(one.label for one in decisions)
    found = []
    for one in competing_labels(pool, annotations, decisions, labels=labels):
        first, second = one.labels
        of = given[first] + given[second]
        if one.disagreed >= FEWEST_TEXTS and of and one.disagreed / of >= OVERLAP_SHARE:
            share = one.disagreed / of
            message = (
                f"{first} and {second} are not told apart in {one.disagreed} of {of} texts: say in their meanings "
                "where one ends, or merge them"
            )
            examples = (*one.texts[0][:1], *one.texts[1][:1])
            found.append(LabelSetFinding("overlap", message, one.labels, share, examples))
    return sorted(found, key=lambda one: -one.share)


def _unanswered_texts(annotations: Sequence[Annotation]) -> list[LabelSetFinding]:
    missing = [note.index for note in annotations if _UNANSWERED & set(note.statuses)]
    if not missing:
        return []
    share = len(missing) / len(annotations)
    message = f"{len(missing)} of {len(annotations)} texts ({share:.0%}) got no usable answer of the language model"
    return [LabelSetFinding("unanswered", message, (), share, tuple(missing[:3]))]


def _uncovered_text_groups(
    pool: Pool, decisions: Sequence[Decision], embeddings: np.ndarray, *, labels: int
) -> list[LabelSetFinding]:
    found = []
    for group in uncovered_groups(pool, decisions, embeddings, labels=labels):
        share = len(group.texts) / len(pool)
        about = f", about {', '.join(group.words)}" if group.words else ""
        message = (
            f"{len(group.texts)} texts ({share:.0%}) lie together{about}, and nothing is sure of a label for them: "
            "perhaps one is missing"
        )
        found.append(LabelSetFinding("uncovered", message, group.words, share, group.texts[:3]))
    return found
