"""Texts that lie together and for which no voice is sure of a label: perhaps one is missing."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from freeal.pool.text_pool import Pool
from freeal.types import Decision

FEWEST_TEXTS = 4
"""Fewer are no group."""
GROUP_SHARE = 0.05
"""With fewer, texts that lie together by chance are taken for a group: 300 AG News titles had one of 3 % with all
labels there, and one of 8 to 12 % with any of the four taken out (features of MiniLM, simulated answers)."""
UNSURE = 0.6
"""Below this confidence no voice is sure. With many labels it is the rule, so the least sure third is the most."""
_NEIGHBOURS = 5
"""A text is near to so many others: those most like it."""
_ROWS_AT_ONCE = 512
_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclasses.dataclass(frozen=True, slots=True)
class UncoveredGroup:
    """Pool indices of texts that lie together, in order, and up to three words that they share."""

    texts: tuple[int, ...]
    words: tuple[str, ...]


def uncovered_groups(
    pool: Pool, decisions: Sequence[Decision], embeddings: np.ndarray, *, labels: int
) -> list[UncoveredGroup]:
    """Groups of texts that are near each other, of which none is sure, and whose nearest texts are not either; the
    largest first. `embeddings` [texts, width] are the student's."""
    confidence = np.array([one.confidence for one in decisions])
    limit = min(max(UNSURE, 1.2 / labels), float(np.quantile(confidence, 1 / 3)))
    unsure = np.flatnonzero(confidence <= limit)
    least = max(FEWEST_TEXTS, round(GROUP_SHARE * len(pool)))
    if len(unsure) < least or len(unsure) == len(pool):
        return []
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(lengths > 0.0, lengths, 1.0)
    is_unsure = np.zeros(len(pool), dtype=bool)
    is_unsure[unsure] = True
    nearest = _nearest_texts(unit)
    lonely = [int(index) for index in unsure if is_unsure[nearest[index]].mean() > 0.5]
    large = [group for group in _groups_of_near_texts(lonely, nearest) if len(group) >= least]
    found = [UncoveredGroup(tuple(group), tuple(_words_shared_in_group(group, pool))) for group in large]
    return sorted(found, key=lambda one: -len(one.texts))


def _nearest_texts(unit: np.ndarray) -> np.ndarray:
    """The most alike other texts of each, int64 [texts, neighbours], from vectors of unit length; some rows at a time,
    since all pairs of a large pilot would not fit into memory."""
    found = []
    for start in range(0, len(unit), _ROWS_AT_ONCE):
        likeness = unit[start : start + _ROWS_AT_ONCE] @ unit.T
        likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -1.0
        found.append(np.argsort(-likeness, axis=1, kind="stable")[:, :_NEIGHBOURS])
    return np.concatenate(found)


def _groups_of_near_texts(members: Sequence[int], nearest: np.ndarray) -> list[list[int]]:
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


def _words_shared_in_group(group: Sequence[int], pool: Pool) -> list[str]:
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
