"""Whose label to trust while fine-tuning: what is trained on, and what the losses say about it."""

from __future__ import annotations

import dataclasses

import numpy as np

from freeal.selection import clean_split
from freeal.student.encoder.token_batches import Tokens
from freeal.student.protocols import NO_LABEL
from freeal.student.training import training_targets
from freeal.student.training.linear_probe import cross_entropy, softmax
from freeal.student.training.robust_probe import CLEAN_THRESHOLD


@dataclasses.dataclass(frozen=True)
class Pool:
    """What is trained on, indexed alike.

    `label_ids` int64 [n] with NO_LABEL where unknown; `held_out` bool [n]: labels that training must not see (they
    calibrate), whose texts are used like unlabelled ones; `probe_logits` float [n, labels]: cross-validated logits of a
    linear probe; `candidates` float [n, labels] or None: what else a text's label may be, weighed; `paraphrases`: the
    tokens of each text in other words, empty where there are none, or None; `confirmed` bool [n] or None: labels that
    are right. `targets` float32 [n, labels]: what is taught in the place of labels, or None. `threshold`: P(clean)
    above which a label is learned from.
    """

    tokens: Tokens
    label_ids: np.ndarray
    held_out: np.ndarray
    probe_logits: np.ndarray
    candidates: np.ndarray | None = None
    paraphrases: Tokens | None = None
    confirmed: np.ndarray | None = None
    targets: np.ndarray | None = None
    threshold: float = CLEAN_THRESHOLD

    @property
    def labelled(self) -> np.ndarray:
        """Indices of the texts with a label, held out or not."""
        return np.flatnonzero(self.label_ids != NO_LABEL)

    @property
    def learned(self) -> np.ndarray:
        """Bool [n]: texts whose label may be learned from."""
        return np.asarray((self.label_ids != NO_LABEL) & ~self.held_out)


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What one epoch teaches: `targets` float32 [n, labels], and whose target is `trusted`, bool [n]."""

    targets: np.ndarray
    trusted: np.ndarray


def lesson_of_trusted_labels(pool: Pool, logits: np.ndarray | None, *, filtered: bool) -> Lesson:
    """The next epoch's, from the network's `logits` [n, labels] in evaluation mode, or the probe's where None."""
    if pool.targets is not None:
        return Lesson(pool.targets, pool.learned)
    shape = pool.probe_logits.shape[1]
    best = pool.probe_logits if logits is None else logits
    taught, favoured = training_targets.resolve_targets(pool.label_ids, pool.candidates, best, labels=shape)
    if not filtered:
        return Lesson(taught, pool.learned)
    losses, probability = judge_label_trust(dataclasses.replace(pool, label_ids=favoured), logits)
    judged = np.setdiff1d(pool.labelled, np.flatnonzero(_confirmed(pool)))
    probability[judged] = clean_split.clean_evenly_over_labels(probability[judged], losses[judged], favoured[judged])
    trusted = pool.learned & (probability > pool.threshold)
    return Lesson(taught, trusted if trusted.any() else pool.learned)


def judge_label_trust(pool: Pool, logits: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Losses (nan without a label) and P(clean) (0 without a label) of the whole pool, float32 [n].

    `logits` float [n, labels] are the network's, in evaluation mode; without them the probe judges alone. A mixture
    always finds a high-loss part, also where every label is right; so P(clean) is at least the probability the network
    itself gives to the label, which it has not learned unless the text was trusted before. A confirmed label is clean.
    """
    losses = np.full(len(pool.tokens), np.nan, dtype=np.float32)
    probability = np.zeros(len(pool.tokens), dtype=np.float32)
    known = pool.labelled
    labels = pool.label_ids[known]
    losses[known] = cross_entropy(pool.probe_logits[known], labels)
    if logits is None:
        probability[known] = clean_split.split_clean(losses[known], labels)
        probability[_confirmed(pool)] = 1.0
        return losses, probability
    losses[known] = (losses[known] + cross_entropy(logits[known], labels)) / 2
    believed = softmax(logits[known])[np.arange(len(known)), labels]
    probability[known] = np.maximum(clean_split.split_clean(losses[known], labels), believed)
    probability[_confirmed(pool)] = 1.0
    return losses, probability


def _confirmed(pool: Pool) -> np.ndarray:
    return np.zeros(len(pool.label_ids), dtype=bool) if pool.confirmed is None else pool.confirmed
