"""Whether a set of labels fits the texts, without truth: labels that no text gets, labels that are not told apart,
texts that cannot be answered, and texts that lie together and for which no voice is sure of a label."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from freeal.boundaries.competing_labels import competing
from freeal.pool.text_pool import Pool
from freeal.types import Annotation, Decision, Status

OVERLAP_SHARE = 0.2
"""Of the texts of two labels: from so many on which the voices say one each, the two overlap."""
FEWEST_TEXTS = 4
"""Fewer are no group, and no overlap."""
GROUP_SHARE = 0.05
"""With fewer, texts that lie together by chance are taken for a group: 300 AG News titles had one of 3 % with all
labels there, and one of 8 to 12 % with any of the four taken out (features of MiniLM, simulated answers)."""
UNSURE = 0.6
"""Below this confidence no voice is sure. With many labels it is the rule, so the least sure third is the most."""
_NEIGHBOURS = 5
_ROWS_AT_ONCE = 512
"""A text is near to so many others: those most like it."""
_WORD = re.compile(r"[^\W\d_]{4,}")
_UNANSWERED = {Status.INVALID_ANSWER, Status.REFUSED, Status.API_ERROR}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something about the label set that its owner should know. `texts` are pool indices of examples."""

    kind: Literal["unused", "overlap", "unanswered", "uncovered"]
    message: str
    labels: tuple[str, ...] = ()
    share: float = 0.0
    texts: tuple[int, ...] = ()

    def as_dict(self, pool: Pool) -> dict[str, Any]:
        """For a JSON file; examples as texts."""
        return dataclasses.asdict(self) | {"texts": [pool.texts[index] for index in self.texts]}


def check(
    pool: Pool,
    annotations: Sequence[Annotation],
    decisions: Sequence[Decision],
    *,
    labels: Sequence[str],
    embeddings: np.ndarray,
) -> list[Finding]:
    """All findings, the gravest first. `annotations` and `decisions` are by pool index, `embeddings` [texts, width] are
    the student's."""
    return [
        *_uncovered(pool, decisions, embeddings, labels),
        *_overlaps(pool, annotations, decisions, labels),
        *_unused(decisions, labels),
        *_unanswered(annotations),
    ]


def _unused(decisions: Sequence[Decision], labels: Sequence[str]) -> list[Finding]:
    given = Counter(one.label for one in decisions)
    unused = tuple(label for label in labels if not given[label])
    if not unused:
        return []
    named = ", ".join(unused)
    message = f"no text got {named}: say what it means, or leave it out if these texts hold none of it"
    return [Finding("unused", message, unused, len(unused) / len(labels))]


def _overlaps(
    pool: Pool, annotations: Sequence[Annotation], decisions: Sequence[Decision], labels: Sequence[str]
) -> list[Finding]:
    given = Counter(one.label for one in decisions)
    found = []
    for one in competing(pool, annotations, decisions, labels=labels):
        first, second = one.labels
        of = given[first] + given[second]
        if one.disagreed >= FEWEST_TEXTS and of and one.disagreed / of >= OVERLAP_SHARE:
            share = one.disagreed / of
            message = (
                f"{first} and {second} are not told apart in {one.disagreed} of {of} texts: say in their meanings "
                "where one ends, or merge them"
            )
            examples = (*one.texts[0][:1], *one.texts[1][:1])
            found.append(Finding("overlap", message, one.labels, share, examples))
    return sorted(found, key=lambda one: -one.share)


def _unanswered(annotations: Sequence[Annotation]) -> list[Finding]:
    missing = [note.index for note in annotations if _UNANSWERED & set(note.statuses)]
    if not missing:
        return []
    share = len(missing) / len(annotations)
    message = f"{len(missing)} of {len(annotations)} texts ({share:.0%}) got no usable answer of the language model"
    return [Finding("unanswered", message, (), share, tuple(missing[:3]))]


def _uncovered(
    pool: Pool, decisions: Sequence[Decision], embeddings: np.ndarray, labels: Sequence[str]
) -> list[Finding]:
    """Groups of texts that are near each other, of which none is sure, and whose nearest texts are not either."""
    confidence = np.array([one.confidence for one in decisions])
    limit = min(max(UNSURE, 1.2 / len(labels)), float(np.quantile(confidence, 1 / 3)))
    unsure = np.flatnonzero(confidence <= limit)
    least = max(FEWEST_TEXTS, round(GROUP_SHARE * len(pool)))
    if len(unsure) < least or len(unsure) == len(pool):
        return []
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(lengths > 0.0, lengths, 1.0)
    is_unsure = np.zeros(len(pool), dtype=bool)
    is_unsure[unsure] = True
    nearest = _nearest(unit)
    lonely = [int(index) for index in unsure if is_unsure[nearest[index]].mean() > 0.5]
    found = []
    for group in _groups(lonely, nearest):
        if len(group) < least:
            continue
        words = _words(group, pool)
        share = len(group) / len(pool)
        about = f", about {', '.join(words)}" if words else ""
        message = (
            f"{len(group)} texts ({share:.0%}) lie together{about}, and nothing is sure of a label for them: perhaps "
            "one is missing"
        )
        found.append(Finding("uncovered", message, tuple(words), share, tuple(group[:3])))
    return sorted(found, key=lambda one: -one.share)


def _nearest(unit: np.ndarray) -> np.ndarray:
    """The most alike other texts of each, int64 [texts, neighbours], from vectors of unit length; some rows at a time,
    since all pairs of a large pilot would not fit into memory."""
    found = []
    for start in range(0, len(unit), _ROWS_AT_ONCE):
        likeness = unit[start : start + _ROWS_AT_ONCE] @ unit.T
        likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -1.0
        found.append(np.argsort(-likeness, axis=1, kind="stable")[:, :_NEIGHBOURS])
    return np.concatenate(found)


def _groups(members: Sequence[int], nearest: np.ndarray) -> list[list[int]]:
    """Parts that hang together, each in order: of two texts one is among the other's nearest."""
    near_to: dict[int, set[int]] = {index: set() for index in members}
    for index in members:
        for other in near_to.keys() & set(nearest[index].tolist()):
            near_to[index].add(other)
            near_to[other].add(index)
    left, found = set(members), []
    while left:
        part, ahead = [], [min(left)]
        left.discard(ahead[0])
        while ahead:
            index = ahead.pop()
            part.append(index)
            near = sorted(near_to[index] & left)
            left.difference_update(near)
            ahead += near
        found.append(sorted(part))
    return found


def _words(group: Sequence[int], pool: Pool) -> list[str]:
    """Up to three words that stand in most of the group's texts and in few others: a name for what they share."""
    inside = set(group)
    in_group, elsewhere = Counter[str](), Counter[str]()
    for index, text in enumerate(pool.texts):
        words = {word.casefold() for word in _WORD.findall(text)}
        (in_group if index in inside else elsewhere).update(words)
    others = max(1, len(pool) - len(inside))
    scores = {
        word: count / len(inside) - elsewhere[word] / others
        for word, count in in_group.items()
        if count >= 2 and count / len(inside) >= 0.3
    }
    ranked = sorted(scores, key=lambda word: (-scores[word], word))
    return [word for word in ranked if scores[word] > 0.2][:3]
