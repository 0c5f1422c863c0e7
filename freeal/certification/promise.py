"""From which confidence on a student's label is right as often as was promised, with a bound that holds at 95 %.

Learn then test (Angelopoulos et al. 2021), by a fixed sequence: thresholds are tried from a high one downwards, each is
kept as long as the upper bound of the error above it is within the promise, and the first that is not ends the search.
So no more than one test in twenty errs, however many thresholds are tried. Where the sequence begins depends on how
many rows were looked at, not on what was seen: at the highest threshold that could be proven if all of them were right.

By label the level is shared out (Bonferroni), so that all promises hold at once. The rows must be such that the student
never learned from: then new texts of the same kind are like them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from freeal.certification.certificate import Looked, measure_right_share
from freeal.certification.sampling_frame import LEFT_OUT, Frame

LEVEL = 0.95
STEPS = 20
"""Thresholds that are tried of a label: each lets in a twentieth more of its rows."""

Scope = Literal["label", "all"]
ALL = ""
"""The key of the threshold that is every label's, where there is but one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One label's promise. `threshold` None: nothing can be promised,
    and `needed` rows looked at would be the fewest to
    prove it; else `error` is its bound above it, of `looked_at` rows, and `share` the part of the label's rows kept."""

    threshold: float | None
    looked_at: int
    rows: int
    share: float = 0.0
    error: float | None = None
    needed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Promise:
    """A share of right labels that is promised, by label (or for ALL of them together)."""

    right: float
    scope: Scope
    labels: Mapping[str, Kept]

    @property
    def coverage(self) -> float:
        """The part of the file's rows that keep their label."""
        rows = sum(one.rows for one in self.labels.values())
        return sum(one.share * one.rows for one in self.labels.values()) / rows if rows else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For `extra` of freeal.json."""
        labels = {
            name: {key: value for key, value in dataclasses.asdict(one).items() if value is not None}
            for name, one in self.labels.items()
        }
        return {
            "right": self.right,
            "level": LEVEL,
            "scope": self.scope,
            "coverage": round(self.coverage, 4),
            "labels": labels,
        }


def find_promise(
    frame: Frame,
    looked: Looked,
    confidence: np.ndarray,
    *,
    labels: Sequence[str],
    right: float,
    scope: Scope = "label",
) -> Promise:
    """The lowest thresholds that can be promised to be `right` in that share.

    `frame.student` is what the student says of each row and `confidence` (float [rows]) how sure it is; what was looked
    at are rows it did not learn from.
    """
    inside = frame.stratum != LEFT_OUT
    groups = {ALL: inside} if scope == "all" else {name: inside & (frame.student == name) for name in labels}
    level = 1.0 - (1.0 - LEVEL) / len(groups)
    found = {
        name: _lowest_threshold(frame, looked, confidence, mask, right=right, level=level)
        for name, mask in groups.items()
    }
    return Promise(right, scope, found)


def _lowest_threshold(
    frame: Frame, looked: Looked, confidence: np.ndarray, mask: np.ndarray, *, right: float, level: float
) -> Kept:
    seen = np.array([row for row, truth in looked.truth.items() if truth is not None and mask[row]], dtype=np.int64)
    rows = int(mask.sum())
    needed = fewest(right, level=level)
    best = Kept(None, len(seen), rows, needed=needed)
    if not rows:
        return best
    shares = np.arange(1, STEPS + 1) / STEPS
    at_best = Looked({int(row): frame.student[row] for row in seen}, 0)

    def low(what: Looked, above: np.ndarray) -> float:
        # half of what an interval leaves out lies beyond either end
        return measure_right_share(frame, what, frame.student, only=above, level=1.0 - 2.0 * (1.0 - level)).low

    for threshold in np.quantile(confidence[mask], 1.0 - shares, method="lower").tolist():
        above = mask & (confidence >= threshold)
        if best.threshold is None and low(at_best, above) < right:
            continue  # too few were looked at, whatever was seen: the sequence begins further down
        if (bound := low(looked, above)) < right:
            break
        best = Kept(threshold, len(seen), rows, float(above.sum() / rows), round(1.0 - bound, 4), needed)
    return best


def fewest(right: float, *, level: float) -> int:
    """Rows that must all be right before it can be said at this level that a share of `right` is."""
    return math.ceil(math.log(1.0 - level) / math.log(right))
