"""Labels as the loop hands them to a trainer: all voices weighed, for tests that need no loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.aggregation.label_posterior import Evidence
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL


def weighed(
    texts: Sequence[str],
    label_ids: Sequence[int] | np.ndarray,
    *,
    labels: int = 2,
    confirmed: np.ndarray | None = None,
    **others: Any,
) -> LabelledTexts:
    """Texts with an annotator's `label_ids` and what a person `confirmed` (bool [n]); `others` as `LabelledTexts`."""
    ids = np.asarray(label_ids, dtype=np.int64)
    by_person = np.zeros(len(ids), dtype=bool) if confirmed is None else confirmed
    evidence = Evidence(
        np.where(by_person, NO_LABEL, ids), np.zeros((len(ids), labels)), np.where(by_person, ids, NO_LABEL)
    )
    return LabelledTexts(texts, ids.tolist(), confirmed=confirmed, weigh=evidence.targets, **others)
