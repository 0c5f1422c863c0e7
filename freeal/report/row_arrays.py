"""What was said of each row of the CSV, as arrays that can be counted."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from freeal.pool.text_pool import EMPTY
from freeal.results.finished_run import FinishedRun
from freeal.text.joined_labels import parts
from freeal.types import Status

NONE = -1
"""Label id where there is none."""
OWN_KIND = -2
"""Rows without text are like no other: one kind each, counted down from here, below EMPTY."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """Label ids per row, int [rows], NONE where there is no label; `confidence` is 0 for a row without text.

    `truth` is NONE where the user gave none; a row without text has no label of ours, but may have a true one. Rows of
    one of `kinds` hold the same text, or near duplicates: to an interval they are one observation. `told` are rows
    whose label a person gave, and the student learned.

    `names` are the labels of the spec, and `labels` what the ids count: the same, or where a text may have several the
    combinations that occur, the most frequent first. `members` bool [labels + 1, names] says which names each has; its
    last row is that of NONE.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    members: np.ndarray
    index: np.ndarray
    final: np.ndarray
    likeliest: np.ndarray
    llm: np.ndarray
    student: np.ndarray
    truth: np.ndarray
    confidence: np.ndarray
    kinds: np.ndarray
    told: np.ndarray

    @classmethod
    def of(cls, run: FinishedRun) -> Rows:
        """The rows of a finished run."""
        names, kind = run.spec.task.names, run.spec.kind
        labels = names if kind != "multi" else _combinations(run)
        members = np.zeros((len(labels) + 1, len(names)), dtype=bool)
        members[:-1] = [[name in parts(label, kind) for name in names] for label in labels]
        ids: dict[str | None, int] = {name: position for position, name in enumerate(labels)} | {None: NONE}
        index = np.array(run.pool.row_index, dtype=np.int64)

        def spread(values: list[int]) -> np.ndarray:
            return np.where(index == EMPTY, NONE, np.array(values)[index])

        confidence = np.array([one.confidence for one in run.decisions])
        groups = np.array(run.pool.groups or range(len(run.pool)))
        corrected = np.array([Status.CORRECTED in note.statuses for note in run.result.best.annotations])
        truth = run.pool.truth or (None,) * len(index)
        return cls(
            labels=labels,
            names=names,
            members=members,
            index=index,
            final=spread([ids[one.label] for one in run.decisions]),
            likeliest=spread([ids[one.likeliest] for one in run.decisions]),
            llm=spread([ids[one.llm_label] for one in run.decisions]),
            student=spread([ids[one.student_label] for one in run.decisions]),
            truth=np.array([ids[label] for label in truth]),
            confidence=np.where(index == EMPTY, 0.0, confidence[index]),
            kinds=np.where(index == EMPTY, OWN_KIND - np.arange(len(index)), groups[index]),
            told=(index != EMPTY) & corrected[index],
        )

    @property
    def known(self) -> np.ndarray:
        """Which rows have a true label."""
        return np.asarray(self.truth != NONE)

    @property
    def with_text(self) -> np.ndarray:
        """Which rows have any text."""
        return np.asarray(self.index != EMPTY)

    def has(self, label_ids: np.ndarray, name: int) -> np.ndarray:
        """Which of `label_ids` are, or hold, the label at this place of `names`."""
        return np.asarray(self.members[label_ids, name])

    def counts(self, label_ids: np.ndarray) -> tuple[int, ...]:
        """How many of `label_ids` are, or hold, each of `names`."""
        return tuple(int(self.has(label_ids, place).sum()) for place in range(len(self.names)))


def _combinations(run: FinishedRun) -> tuple[str, ...]:
    """Every combination of labels that anybody gave a text, the most frequent final ones first."""
    counts = Counter(one.label for one in run.decisions)
    said = {label for one in run.decisions for label in (one.label, one.likeliest, one.llm_label, one.student_label)}
    told = (said | set(run.pool.truth or ())) - {None}
    return tuple(sorted((str(label) for label in told), key=lambda label: (-counts[label], label)))
