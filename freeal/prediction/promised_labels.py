"""A model that was promised to be right in some share gives no label where it is less sure than that takes.

The promise stands in `extra` of the model's freeal.json (freeal/job/new_version/promise_job.py writes it there).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freeal.errors import CorruptModelError

STATUS_COLUMN = "freeal_status"
BELOW = "below_promise"
KEPT = "ok"


@dataclasses.dataclass(frozen=True, slots=True)
class PromisedLabels:
    """The confidence from which each label is given, in the student's order; infinite where it never is."""

    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, extra: Mapping[str, Any], labels: Sequence[str]) -> PromisedLabels | None:
        """From a model's `extra`; None where nothing is promised. Raises `CorruptModelError`."""
        if (promise := extra.get("promise")) is None:
            return None
        try:
            told = promise["labels"]
            found = [told[""] if promise["scope"] == "all" else told[label] for label in labels]
            never = float("inf")
            return cls(tuple(float(one.get("threshold", never)) for one in found))
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            hint = "certify the model again, or take `promise` out of its freeal.json"
            raise CorruptModelError(f"freeal.json holds a promise that makes no sense: {cause!r}", hint=hint) from cause

    def keeps(self, chosen_ids: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """Bool [texts] for the labels that were chosen, int [texts], and their probabilities: whether each is given."""
        return np.asarray(confidence >= np.array(self.thresholds)[chosen_ids])
