"""Annotations as columns, the form in which they lie on disk.

A dict per annotation takes a kilobyte and ten microseconds on its way into JSON, of a hundred thousand texts 0.6 GB and
nine seconds; a column per field takes what its numbers take. Texts that recur (labels, statuses) are numbered, floats
are kept to the last bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from freeal.types import Annotation, Status

NUMBERS: Mapping[str, type] = {
    "index": np.int64,
    "label": np.int32,
    "confidence": np.float64,
    "statuses": np.int32,
    "round": np.int64,
    "labels_known": np.int32,
    "distribution": np.float64,
    "alternatives": np.int32,
    "from_store": np.bool_,
    "weight": np.float64,
    "earlier": np.int32,
    "annotator": np.int32,
    "branch": np.int32,
}
"""Columns [n] and their types, but `distribution`: all probabilities one behind another, `labels_known` of each text (0
where it has none). What a file of before does not hold is 0; `branch` stands there where an annotation names one."""


class _Numbers:
    """Numbers things that recur, in the order in which they come."""

    def __init__(self) -> None:
        self._number: dict[Any, int] = {}

    def of(self, things: Iterable[Any]) -> Iterable[int]:
        return (self._number.setdefault(thing, len(self._number)) for thing in things)

    @property
    def things(self) -> list[Any]:
        return list(self._number)


def columns_of(notes: Sequence[Annotation]) -> tuple[dict[str, np.ndarray], dict[str, list[Any]]]:
    """The columns by name, and the names behind the numbers in `label`, `statuses`, `alternatives` and `earlier`."""
    labels, statuses, alternatives, earlier, branches = (_Numbers() for _ in range(5))
    earlier.of([()])
    values: dict[str, Iterable[Any]] = {
        "index": (note.index for note in notes),
        "label": labels.of(note.label for note in notes),
        "confidence": (note.confidence for note in notes),
        "statuses": statuses.of(note.statuses for note in notes),
        "round": (note.round for note in notes),
        "labels_known": (len(note.distribution or ()) for note in notes),
        "distribution": itertools.chain.from_iterable(note.distribution or () for note in notes),
        "alternatives": alternatives.of(note.alternatives for note in notes),
        "from_store": (note.from_store for note in notes),
        "weight": (note.weight for note in notes),
        "earlier": earlier.of(note.earlier for note in notes),
        "annotator": (note.annotator for note in notes),
    }
    if any(note.branch for note in notes):
        values["branch"] = branches.of(note.branch for note in notes)
    columns: dict[str, np.ndarray] = {
        name: np.fromiter(values[name], dtype=kind) for name, kind in NUMBERS.items() if name in values
    }
    names = {
        "label": labels.things,
        "statuses": [[str(status) for status in one] for one in statuses.things],
        "alternatives": [list(one) for one in alternatives.things],
        "earlier": [list(one) for one in earlier.things],
    }
    if "branch" in values:
        names["branch"] = branches.things
    return columns, names


def annotations_of(columns: Mapping[str, Any], names: Mapping[str, Sequence[Any]]) -> tuple[Annotation, ...]:
    """The annotations again, from arrays or lists. Raises KeyError, IndexError, TypeError or ValueError for columns
    that are no such thing."""
    later: dict[str, Any] = dict.fromkeys(("earlier", "annotator", "branch"), np.zeros(len(columns["index"])))
    listed = {name: np.asarray({**later, **columns}[name], dtype=kind).tolist() for name, kind in NUMBERS.items()}
    values = iter(listed.pop("distribution"))
    statuses = [tuple(map(Status, one)) for one in names["statuses"]]
    alternatives = [tuple(one) for one in names["alternatives"]]
    earlier = [tuple(one) for one in names.get("earlier", [[]])]
    branches = names.get("branch", [None])
    found = tuple(
        Annotation(
            index=index,
            label=names["label"][label],
            confidence=confidence,
            statuses=statuses[status],
            round=number,
            distribution=tuple(itertools.islice(values, known)) or None,
            alternatives=alternatives[others],
            from_store=from_store,
            weight=weight,
            earlier=earlier[before],
            annotator=annotator,
            branch=branches[branch],
        )
        for index, label, confidence, status, number, known, others, from_store, weight, before, annotator, branch in (
            zip(*listed.values(), strict=True)
        )
    )
    if next(values, None) is not None:
        raise ValueError("there are more probabilities than annotations have labels")
    return found
