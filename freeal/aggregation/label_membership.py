"""Several labels of a text as a row of zeros and ones, and what a text's labels are as a class of their own.

Binary relevance (Tsoumakas and Katakis 2007): each label is a question of its own, yes or no. Whatever weighs, trains
or calibrates takes a matrix [texts, labels] and treats its columns apart; whatever compares, counts or shows takes the
joined names (freeal/text/joined_labels.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.student.protocols import NO_LABEL
from freeal.text import joined_labels
from freeal.types import Kind


def membership(said: Sequence[str | None], names: Sequence[str]) -> np.ndarray:
    """Which of the `names` each of the joined labels holds: int64 [n, labels] of 0 and 1, rows of NO_LABEL for None.

    Raises ValueError for a name that is none of them.
    """
    place = {name: position for position, name in enumerate(names)}
    found = np.zeros((len(said), len(names)), dtype=np.int64)
    for row, label in zip(found, said, strict=True):
        if label is None:
            row[:] = NO_LABEL
            continue
        for name in joined_labels.split(label):
            if name not in place:
                raise ValueError(f"{name!r} is none of the labels")
            row[place[name]] = 1
    return found


def joined_names(chosen: np.ndarray, names: Sequence[str]) -> list[str]:
    """The joined labels of each row of a bool matrix [n, labels]."""
    known: dict[bytes, str] = {}
    found = []
    for row in np.ascontiguousarray(chosen, dtype=bool):
        key = row.tobytes()
        if key not in known:
            known[key] = joined_labels.joined(name for name, own in zip(names, row.tolist(), strict=True) if own)
        found.append(known[key])
    return found


def class_ids(said: Sequence[str | None], names: Sequence[str], kind: Kind) -> np.ndarray:
    """A label membership as one class per text, int64 [n], NO_LABEL for None: the label's place among the `names`; with
    several labels the place of the combination among those that occur, the most frequent first."""
    if kind != "multi":
        place = {name: position for position, name in enumerate(names)}
        return np.array([NO_LABEL if label is None else place[label] for label in said], dtype=np.int64)
    counts: dict[str, int] = {}
    for label in said:
        if label is not None:
            counts[label] = counts.get(label, 0) + 1
    rank = {label: position for position, label in enumerate(sorted(counts, key=lambda one: (-counts[one], one)))}
    return np.array([NO_LABEL if label is None else rank[label] for label in said], dtype=np.int64)
