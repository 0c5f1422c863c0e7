"""A linear head that learns from clean labels only, told from the others by cross-validated losses."""

from __future__ import annotations

import functools

import numpy as np

from freeal.selection import clean_split
from freeal.student.training import linear_probe

CLEAN_THRESHOLD = 0.7
"""P(clean) above which a text's label is learned from (the paper's value)."""


def robust_probe(
    features: np.ndarray,
    label_ids: np.ndarray,
    *,
    labels: int,
    seed: int,
    usable: np.ndarray | None = None,
    confirmed: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    filtered: bool = True,
    threshold: float = CLEAN_THRESHOLD,
) -> linear_probe.Probe:
    """A linear head that learned from clean labels only: once on all, split by cross-validated losses, once more.

    `features` [n, d] as the encoder gives them, `label_ids` [n] without NO_LABEL; only labels that are `usable` (bool
    [n], default all) are learned from, all of those where they are not to be `filtered`, and of those always the
    `confirmed` (bool [n], default none). Cross-validated losses need no early stopping to tell right labels from
    memorised ones: no head has seen the text it judges.
    """
    usable = np.ones(len(label_ids), dtype=bool) if usable is None else usable
    scale = float(features.std()) or 1.0
    scaled = features / scale
    fitted = functools.partial(linear_probe.fit_probe, scaled, label_ids, labels=labels, seed=seed, groups=groups)
    first = fitted(trusted=usable)
    if not filtered:
        return first.over(scale)
    losses = linear_probe.cross_entropy(first.held_out, label_ids)
    probability = clean_split.clean_evenly_over_labels(clean_split.split_clean(losses, label_ids), losses, label_ids)
    clean_enough = probability > threshold
    trusted = (clean_enough if confirmed is None else clean_enough | confirmed) & usable
    second = fitted(trusted=trusted) if trusted.any() else first
    return second.over(scale)
