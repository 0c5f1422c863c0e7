"""The rows that a blind sheet is drawn from, in strata by whether the voices agree and how sure they are together.

A row is in the frame where a model gave it its label: what a person has labelled needs no measuring, and a row without
a label is neither right nor wrong.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from freeal.pool.text_pool import EMPTY, Pool
from freeal.types import Decision

STRATA = ("agreed, sure", "agreed, less sure", "agreed, unsure", "not agreed")
"""In order: the first is right most often."""
NOT_AGREED = len(STRATA) - 1
LEFT_OUT = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """Everything is indexed by the rows of the CSV.

    `stratum` int8: a position in STRATA, or LEFT_OUT; `group` the pool index of the text which stands for a row's near
    duplicates (EMPTY without text); `label` and `student` (the final one and the student's), `source` object arrays of
    str, "" where there is none; `confidence` float, 0 where there is none. `left_out` counts the rows that are not in
    the frame, by the reason.
    """

    stratum: np.ndarray
    group: np.ndarray
    label: np.ndarray
    student: np.ndarray
    source: np.ndarray
    confidence: np.ndarray
    left_out: dict[str, int]

    def with_strata(self, stratum: np.ndarray) -> Frame:
        """The same rows in the strata of an earlier draw, but for those that are left out now; rows added since are
        left out too."""
        kept = np.full(len(self.stratum), LEFT_OUT, dtype=np.int8)
        kept[: len(stratum)] = stratum[: len(kept)]
        kept[self.stratum == LEFT_OUT] = LEFT_OUT
        return dataclasses.replace(self, stratum=kept)


def frame_of(pool: Pool, decisions: Sequence[Decision]) -> Frame:
    """The frame of a version: `decisions` by pool index, near duplicates as the pool knows them."""
    rows = np.array(pool.row_index)
    reasons = np.array([_left_out(one) for one in decisions] + ["no_text"], dtype=object)[rows]
    groups = np.array([pool.group(index) for index in range(len(pool))] + [EMPTY])

    def of_rows(values: Sequence[str]) -> np.ndarray:
        return np.asarray(np.array([*values, ""], dtype=object)[rows])

    confidence = np.array([one.confidence for one in decisions] + [0.0])[rows]
    agreed = np.array([one.llm_label == one.student_label == one.label for one in decisions] + [False])[rows]
    return Frame(
        stratum=_strata_of_rows(reasons == "", agreed, confidence),
        group=groups[rows],
        label=of_rows([one.label or "" for one in decisions]),
        student=of_rows([one.student_label for one in decisions]),
        source=of_rows([one.source for one in decisions]),
        confidence=confidence,
        left_out=dict(sorted(Counter(reasons[reasons != ""].tolist()).items())),
    )


def _left_out(decision: Decision) -> str:
    if decision.source == "corrected":
        return "labelled_by_a_person"
    return "no_label" if decision.label is None else ""


def _strata_of_rows(inside: np.ndarray, agreed: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Agreed rows fall into three parts of nearly equal size by confidence; equal confidences stay together."""
    found = np.full(len(inside), LEFT_OUT, dtype=np.int8)
    found[inside] = NOT_AGREED
    rows = np.flatnonzero(inside & agreed)
    if len(rows):
        bounds = np.quantile(confidence[rows], [1 / NOT_AGREED, 2 / NOT_AGREED])
        found[rows] = NOT_AGREED - 1 - np.searchsorted(bounds, confidence[rows], side="right")
    return found
