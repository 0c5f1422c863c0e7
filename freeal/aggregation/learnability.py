"""Which annotator to believe, without ground truth: one whose labels can be told from the texts.

Right labels follow from the text, so a linear model that never saw a text predicts its label from its embedding; wrong
ones that follow from nothing cannot be predicted. Cohen's kappa between the labels and such predictions ranks
annotators of the same texts. It is blind to errors that follow from the text themselves (a word that always misleads).
"""

from __future__ import annotations

import numpy as np

MOST_TEXTS = 20_000
"""Of more, so many drawn by chance are looked at: kappa's standard error over them is 0.7 points at most."""
MIN_TEXTS = 50
"""Fewer say nothing about who is better."""
SHARPNESS = 4.0
"""Power of kappa. Five sets, 300 texts each, zero-shot and three sets of demonstrations pooled: mean accuracy 66.5
unweighted, 67.1 with power 2, 67.4 with 4; on the sample 0.76, 0.78 and 0.78."""
LEAST_WEIGHT = 0.01


def weights_by_learnability(
    embeddings: np.ndarray,
    answers: list[np.ndarray],
    *,
    labels: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> list[float]:
    """How much each annotator weighs beside the first, whose weight is 1.

    `embeddings` [n, d] are of unit length; each of `answers` int [n] holds an annotator's label ids, -1 where it gave
    none; `groups` int [n] are those of near duplicates. All weigh the same where there are too few texts to tell, or
    where the first is told from nothing.
    """
    kappas = [
        learnability_kappa(embeddings, label_ids, labels=labels, seed=seed, groups=groups) for label_ids in answers
    ]
    if len(embeddings) < MIN_TEXTS or kappas[0] <= 0.0:
        return [1.0] * len(answers)
    return [float(np.clip((max(one, 0.0) / kappas[0]) ** SHARPNESS, LEAST_WEIGHT, 1 / LEAST_WEIGHT)) for one in kappas]


def learnability_kappa(
    embeddings: np.ndarray, label_ids: np.ndarray, *, labels: int, seed: int, groups: np.ndarray | None = None
) -> float:
    """Agreement beyond chance of labels and their cross-validated predictions from the embeddings; 0 without labels."""
    from freeal.student.training import linear_probe

    known = np.flatnonzero(label_ids >= 0)
    if len(np.unique(label_ids[known])) < 2:
        return 0.0
    if len(known) > MOST_TEXTS:
        known = np.sort(np.random.default_rng([seed, len(known)]).choice(known, MOST_TEXTS, replace=False))
    features = embeddings[known] * np.sqrt(embeddings.shape[1])  # about unit variance per dimension, as probe wants
    said = label_ids[known]
    kinds = None if groups is None else groups[known]
    predicted = linear_probe.fit_probe(features, said, labels=labels, seed=seed, groups=kinds).held_out.argmax(axis=1)
    return cohens_kappa(said, predicted, labels=labels)


def cohens_kappa(first: np.ndarray, second: np.ndarray, *, labels: int) -> float:
    """Agreement beyond chance of two lists of label ids, int [n]; 0 where there is nothing to agree on."""
    if not len(first):
        return 0.0
    by_chance = np.bincount(first, minlength=labels) @ np.bincount(second, minlength=labels) / len(first) ** 2
    return float((np.mean(first == second) - by_chance) / (1.0 - by_chance)) if by_chance < 1.0 else 0.0
