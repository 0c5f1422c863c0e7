"""What each text is taught: its label, or which of several candidate labels the student itself finds.

A language model that hesitates between two labels tells more by naming both than by a guess between them (Xia et al.,
"Prompt Candidates, then Distill", arXiv 2506.03857). The student then learns a distribution over the candidates in
which its own predictions count beside the language model's weights (after PRODEN: Lv et al., ICML 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.errors import TrainingError
from freeal.student.protocols import NO_LABEL
from freeal.student.training.linear_probe import softmax


def resolve_targets(
    label_ids: np.ndarray, candidates: np.ndarray | None, logits: np.ndarray, *, labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Targets float32 [n, labels] and the label ids int64 [n] they favour.

    Without `candidates` (weights float [n, labels], 0 for a label that is none) a target is the one label of
    `label_ids`; with them the probabilities of `logits` [n, labels] times the weights, whose sum is 1: without the
    weights an unsure answer would be left to the student alone, which then learns from itself (a third of 160 binary
    labels wrong: test accuracy 0.86 so, 0.94 without candidates). A text with NO_LABEL has a target of zeros.
    """
    targets = np.zeros((len(label_ids), labels), dtype=np.float32)
    known = np.flatnonzero(label_ids != NO_LABEL)
    if candidates is None:
        targets[known, label_ids[known]] = 1.0
        return targets, label_ids
    weights = candidates[known].astype(np.float64)
    own = np.arange(len(known)), label_ids[known]
    weights[own] = np.where(weights[own] > 0.0, weights[own], 1.0)
    with np.errstate(divide="ignore"):
        targets[known] = softmax(logits[known] + np.log(weights))
    favoured = label_ids.copy()
    favoured[known] = targets[known].argmax(axis=1)
    return targets, favoured


def checked_target_ids(label_ids: Sequence[int] | np.ndarray, *, texts: int, labels: int) -> np.ndarray:
    """Label ids as int64 [n]. Raises `TrainingError` when none is known or they do not fit texts and labels."""
    ids = np.asarray(label_ids, dtype=np.int64)
    if ids.ndim > 1:
        raise TrainingError("this student learns one label per text, not several")
    if len(ids) != texts:
        raise TrainingError(f"{texts} texts came with {len(ids)} labels")
    if ((ids < NO_LABEL) | (ids >= labels)).any():
        raise TrainingError(f"a label id is outside of 0..{labels - 1}")
    if not (ids != NO_LABEL).any():
        raise TrainingError(
            "no text has a label: there is nothing to train on", hint="see why the annotation gave no usable answer"
        )
    return ids


def checked_memberships(label_ids: Sequence[int] | np.ndarray, *, texts: int, labels: int) -> np.ndarray:
    """Training targets for several labels: a membership int64 [n, labels]. Raises `TrainingError` when nothing is
    known, or it does not fit."""
    said = np.asarray(label_ids, dtype=np.int64)
    if said.shape != (texts, labels):
        raise TrainingError(f"{texts} texts and {labels} labels came with a membership of shape {said.shape}")
    unknown = said == NO_LABEL
    if ((said < NO_LABEL) | (said > 1)).any() or (unknown.any(axis=1) != unknown.all(axis=1)).any():
        raise TrainingError("a membership holds 0 or 1 for each label of a text, or NO_LABEL for all of them")
    if unknown.all():
        hint = "see why the annotation gave no usable answer"
        raise TrainingError("no text has an answer: there is nothing to train on", hint=hint)
    return said
