"""Judging labels by heads that have not learned them, and teaching what comes of it (cross-fitting).

A classifier that has learned a label finds it right. So the pool is cut into folds, and each fold is judged by a head
that learned from the others; what all voices together make of that (freeal/aggregation) is then taught as a probability
of each label: nothing is thrown away, and nothing is taught more firmly than it is known.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training import linear_probe, training_targets
from freeal.student.training.scaled_rows import ScaledRows


@dataclasses.dataclass(frozen=True, slots=True)
class CrossFit:
    """What cross-validated heads say about a pool, before anything is trained on it.

    `plain` learned from the labels as they are, of the texts at `known` (ascending); `logits` float64 [n, labels] of
    all texts are of heads that did not learn the text's label; `targets` float32 [n, labels] are what is to be taught,
    zeros where there is no label.
    """

    plain: linear_probe.Probe
    known: np.ndarray
    logits: np.ndarray
    targets: np.ndarray


def cross_fit(
    features: np.ndarray, label_ids: np.ndarray, data: LabelledTexts, *, labels: int, seed: int, usable: np.ndarray
) -> CrossFit:
    """Heads on `features` [n, d] for `label_ids` [n] (NO_LABEL where unknown), of which only those that are `usable`
    (bool [n]) are learned from; and what `data.weigh` makes of them."""
    known = np.flatnonzero(label_ids != NO_LABEL)
    scaled = ScaledRows.of_unit_variance(features, known)
    plain = linear_probe.fit_probe(
        scaled,
        label_ids[known],
        labels=labels,
        seed=seed,
        trusted=usable[known],
        groups=None if data.groups is None else data.groups[known],
    ).over(scaled.scale)
    logits = plain.logits(features)
    logits[known] = plain.held_out
    return CrossFit(plain, known, logits, _cross_fit_targets(logits, label_ids, data))


def judged_anew(fitted: CrossFit, logits: np.ndarray, label_ids: np.ndarray, data: LabelledTexts) -> CrossFit:
    """The same, judged by other `logits` [n, labels] that do not depend on a text's own label."""
    return dataclasses.replace(fitted, logits=logits, targets=_cross_fit_targets(logits, label_ids, data))


def _cross_fit_targets(logits: np.ndarray, label_ids: np.ndarray, data: LabelledTexts) -> np.ndarray:
    if data.weigh is None:
        taught = training_targets.resolve_targets(label_ids, data.candidates, logits, labels=logits.shape[1])[0]
    else:
        taught = data.weigh(logits)
    return np.where((label_ids != NO_LABEL)[:, None], taught, 0.0).astype(np.float32)


def probe_of_cross_fit(
    features: np.ndarray, fitted: CrossFit, label_ids: np.ndarray, data: LabelledTexts, *, seed: int, usable: np.ndarray
) -> linear_probe.Probe:
    """The head that learns the targets of cross-fitted heads; its held-out logits [n, labels] are those of all
    texts."""
    scaled = ScaledRows.of_unit_variance(features, fitted.known).of_all()
    folds = np.full(len(label_ids), -1, dtype=np.int64)
    groups = None if data.groups is None else data.groups[fitted.known]
    folds[fitted.known] = linear_probe.folds_of(label_ids[fitted.known], seed=seed, groups=groups)
    folds[~usable] = -1
    first = dataclasses.replace(fitted.plain, held_out=fitted.logits)
    return linear_probe.fit_soft_probe(scaled, fitted.targets, first, folds=folds, seed=seed).over(scaled.scale)


def label_losses(logits: np.ndarray, label_ids: np.ndarray) -> np.ndarray:
    """Cross entropy per text, float32 [n]; nan where there is no label."""
    losses = np.full(len(label_ids), np.nan, dtype=np.float32)
    known = label_ids != NO_LABEL
    losses[known] = linear_probe.cross_entropy(logits[known], label_ids[known])
    return losses
