"""A linear head on fixed features, and what cross-validation says about it."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

from freeal.compute import scratch_arrays
from freeal.student.training.scaled_rows import ScaledRows

STRENGTHS = (0.4, 1.6, 6.4)
"""Inverse regularisation tried, for features of about unit variance, times the number of dimensions."""
FOLDS, SMALL_POOL_FOLDS, SMALL_POOL = 4, 8, 1000
"""A pool of fewer labelled texts than the last is cut into more folds: each head then learns from 7/8 of it."""
MOST_LEARNED = 100_000
"""Texts that a head learns from at most, drawn by chance where there are more. What that costs is bounded by what any
head of d dimensions and K labels costs that learned from m texts, (K - 1)(d + 1) / 2m nats of its mean loss on new
texts: 0.004 for 384 dimensions and three labels. All texts are judged."""
_LEAST_TARGET = 0.02
"""Less probable labels of a text are not taught."""


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """`weight` float64 [labels, d], `bias` [labels]; `held_out` float64 [n, labels]: the logits of each training text
    under heads that were fitted without it; `strength`: that of STRENGTHS which foretold them best."""

    weight: np.ndarray
    bias: np.ndarray
    held_out: np.ndarray
    strength: float = STRENGTHS[0]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Of texts, [n, labels]."""
        return logits_of_head(features, self.weight, self.bias)

    def over(self, scale: float) -> Probe:
        """The same for features that are `scale` times as large."""
        return dataclasses.replace(self, weight=self.weight / scale)


def fit_probe(
    features: np.ndarray | ScaledRows,
    label_ids: np.ndarray,
    *,
    labels: int,
    seed: int,
    trusted: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Probe:
    """Fit a head on `features` [n, d], of about unit variance, with `label_ids` [n] in 0..labels-1.

    Only texts that are `trusted` (bool [n], default all) are learned from; held-out logits are made for all of them,
    under heads that saw no text of the same of `groups` (int [n], default: each its own).
    A label that never occurs gets a head that never wins. Deterministic for a seed.
    """
    trusted = np.ones(len(label_ids), dtype=bool) if trusted is None else trusted
    folds = folds_of(label_ids, seed=seed, groups=groups)
    best = (np.inf, STRENGTHS[0], np.zeros((len(label_ids), labels)))
    for strength in STRENGTHS:
        held_out = _held_out_logits(features, label_ids, trusted, folds, labels=labels, strength=strength, seed=seed)
        error = float(cross_entropy(held_out, label_ids)[trusted].mean())
        if error < best[0]:
            best = (error, strength, held_out)
    _, strength, held_out = best
    learned = _drawn_to_learn(trusted, seed=seed)
    weight, bias = _logistic_head(features[learned], label_ids[learned], labels=labels, strength=strength)
    return Probe(weight, bias, held_out, strength)


def fit_soft_probe(
    features: np.ndarray | ScaledRows, targets: np.ndarray, first: Probe, *, folds: np.ndarray, seed: int
) -> Probe:
    """A head like `first`, taught `targets` [n, labels] (rows of sum 1) instead of labels, as strongly regularised; the
    held-out logits are those of one head per fold number in `folds` int [n], -1 for texts that are in none and not
    learned from."""
    logits = first.held_out.copy()
    inside = folds >= 0
    for fold in np.unique(folds[inside]):
        others = _drawn_to_learn(inside & (folds != fold), seed=seed)
        if len(others):
            weight, bias = _soft_head(features[others], targets[others], strength=first.strength)
            logits[folds == fold] = logits_of_head(features, weight, bias, np.flatnonzero(folds == fold))
    learned = _drawn_to_learn(inside, seed=seed)
    weight, bias = _soft_head(features[learned], targets[learned], strength=first.strength)
    logits[~inside] = logits_of_head(features, weight, bias, np.flatnonzero(~inside))
    return Probe(weight, bias, logits, first.strength)


def _drawn_to_learn(usable: np.ndarray, *, seed: int) -> np.ndarray:
    """Positions, ascending, of at most `MOST_LEARNED` of the texts that are `usable`, bool [n]."""
    found = np.flatnonzero(usable)
    if len(found) <= MOST_LEARNED:
        return found
    return np.sort(np.random.default_rng([seed, len(found)]).choice(found, MOST_LEARNED, replace=False))


def _soft_head(features: np.ndarray, targets: np.ndarray, *, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A text once for each label it may well have, weighed by its probability."""
    kept = np.where(targets >= _LEAST_TARGET, targets, 0.0)
    kept = kept / kept.sum(axis=1, keepdims=True)
    texts, labels = np.nonzero(kept)
    return _logistic_head(
        features[texts], labels, labels=targets.shape[1], strength=strength, texts_weight=kept[texts, labels]
    )


def cross_entropy(logits: np.ndarray, label_ids: np.ndarray) -> np.ndarray:
    """Per-text loss, float64 [n]."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=1))
    return np.asarray(total - shifted[np.arange(len(label_ids)), label_ids])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float32 [n, labels]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def logits_of_head(
    features: np.ndarray | ScaledRows, weight: np.ndarray, bias: np.ndarray, rows: np.ndarray | None = None
) -> np.ndarray:
    """What a head with `weight` [labels, d] says of `rows` int [k] of the features (None: all), float64 [k, labels]."""
    count = features.shape[0] if rows is None else len(rows)
    found = np.empty((count, len(weight)))
    for piece in scratch_arrays.pieces(count):
        seen = features[piece if rows is None else rows[piece]]
        found[piece] = scratch_arrays.widened(seen) @ weight.T + bias
    return found


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The probability of yes from logits of yes against no, of any shape, float32."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))), dtype=np.float32)


def folds_of(label_ids: np.ndarray, *, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Fold number per text: each label is spread evenly, in an order the seed decides; a group has one fold, as if it
    were a text with the label of its first one."""
    if groups is not None:
        _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
        return folds_of(label_ids[firsts], seed=seed)[members]
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(label_ids))
    order = order[np.argsort(label_ids[order], kind="stable")]
    folds = np.empty(len(label_ids), dtype=np.int64)
    folds[order] = np.arange(len(order)) % (SMALL_POOL_FOLDS if len(order) < SMALL_POOL else FOLDS)
    return folds


def _held_out_logits(
    features: np.ndarray | ScaledRows,
    label_ids: np.ndarray,
    trusted: np.ndarray,
    folds: np.ndarray,
    *,
    labels: int,
    strength: float,
    seed: int,
) -> np.ndarray:
    logits = np.zeros((len(label_ids), labels))
    for fold in range(int(folds.max()) + 1):
        inside, outside = _drawn_to_learn((folds != fold) & trusted, seed=seed), np.flatnonzero(folds == fold)
        if len(outside) and len(inside):
            weight, bias = _logistic_head(features[inside], label_ids[inside], labels=labels, strength=strength)
            logits[outside] = logits_of_head(features, weight, bias, outside)
    return logits


def _logistic_head(
    features: np.ndarray,
    label_ids: np.ndarray,
    *,
    labels: int,
    strength: float,
    texts_weight: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    present = np.unique(label_ids)
    weight = np.zeros((labels, features.shape[1]))
    # a label without a text: as improbable as one text in twice as many would make it
    bias = np.full(labels, -np.log(2.0 * len(label_ids) + 2.0))
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    model = LogisticRegression(C=strength / features.shape[1], max_iter=100, tol=1e-3)
    # one thread: the matrices are small, and two threads that wait for a busy core take many times as long
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a head that is nearly converged serves as well
        warnings.filterwarnings("ignore", "The number of unique classes")  # many labels are no numbers
        model.fit(features, label_ids, sample_weight=texts_weight)
    if len(present) == 2:  # one row of coefficients for two labels: half to each side gives the same probabilities
        weight[present] = np.concatenate([-model.coef_ / 2, model.coef_ / 2])
        bias[present] = np.concatenate([-model.intercept_ / 2, model.intercept_ / 2])
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    return weight, bias
