"""What each text is taught: its label, or which of several candidate labels the student itself finds.

A language model that hesitates between two labels tells more by naming both than by a guess between them (Xia et al.,
"Prompt Candidates, then Distill", arXiv 2506.03857). The student then learns a distribution over the candidates that
follows its own predictions, as they become better than chance (PRODEN: Lv et al., ICML 2020).
"""

from __future__ import annotations

import numpy as np

from freeal.student.base import NO_LABEL
from freeal.student.probe import softmax


def resolve(
    label_ids: np.ndarray, candidates: np.ndarray | None, logits: np.ndarray, *, labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Targets float32 [n, labels] and the label ids int64 [n] they favour.

    Without `candidates` (bool [n, labels]) a target is the one label of `label_ids`; with them the probabilities of
    `logits` [n, labels] among the candidates, whose sum is 1. A text with NO_LABEL has a target of zeros.
    """
    targets = np.zeros((len(label_ids), labels), dtype=np.float32)
    known = np.flatnonzero(label_ids != NO_LABEL)
    if candidates is None:
        targets[known, label_ids[known]] = 1.0
        return targets, label_ids
    allowed = candidates[known].copy()
    allowed[np.arange(len(known)), label_ids[known]] = True
    targets[known] = softmax(np.where(allowed, logits[known], -np.inf))
    favoured = label_ids.copy()
    favoured[known] = targets[known].argmax(axis=1)
    return targets, favoured
