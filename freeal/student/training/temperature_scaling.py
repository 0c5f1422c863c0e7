"""Temperature without ground truth.

A temperature needs labels that training did not see. All we have are the LLM's, some of which are wrong: fitted to them
as they are, the student would be told to be less sure than it should; fitted to those it agrees with, more. So wrong
ones are modelled: a label is right with probability 1 - noise and else any other one (forward correction, Patrini et
al., CVPR 2017), and temperature and noise are fitted together: wrong labels show where the student is surest, for there
even a well calibrated one misses them. The texts are held out of training (fine-tuning) or scored by heads that were
fitted without them (frozen). Priors keep few texts from deciding.

Measured, expected calibration error of a linear head on test texts, with 22-29 % of labels wrong: MR 600 texts 0.03,
TREC 500 0.08, MR 2,000 0.03; noise ignored 0.03, 0.21, 0.04; uncalibrated 0.07, 0.05, 0.14.
"""

from __future__ import annotations

import numpy as np

PRIOR_TEMPERATURE = 1.2
"""Where the prior sits: networks trained on few texts are a little too sure."""
PRIOR_SPREAD = 0.5
"""Standard deviation of the logarithm of the temperature under the prior."""
PRIOR_NOISE = 0.1
"""Mean of the exponential prior of the noise. Few texts cannot tell wrong labels from a student that is too sure: then
the student is held to be."""

_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(8.0), 71))
_NOISES = np.linspace(0.0, 0.45, 16)


def temperature(logits: np.ndarray, label_ids: np.ndarray) -> float:
    """The temperature to divide logits by, within 0.25 .. 8.

    `logits` float [n, labels] of texts whose labels the model did not see, `label_ids` int [n]. Without texts: 1.
    """
    if len(label_ids) == 0:
        return 1.0
    scores = [_best_score(logits, label_ids, candidate=float(value)) for value in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmax(scores))])


def log_likelihood(logits: np.ndarray, label_ids: np.ndarray) -> float:
    """How well logits [n, labels] foretell labels int [n] that the model did not see, at the temperature and the share
    of wrong labels that suit them best."""
    return max(_best_score(logits, label_ids, candidate=float(value)) for value in _TEMPERATURES)


def temperature_for_targets(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature, within 0.25 .. 8, at which the model says what `targets` [n, labels] say, rows of sum 1.

    `logits` float [n, labels] are of texts that the model did not learn from. Where targets are the probabilities that
    annotated files carry, predictions come out on the same scale. Without texts: 1.
    """
    if len(targets) == 0:
        return 1.0
    scores = []
    for candidate in _TEMPERATURES:
        cooled = np.asarray(logits, dtype=np.float64) / candidate
        cooled -= cooled.max(axis=1, keepdims=True)
        told = (targets * cooled).sum(axis=1) - targets.sum(axis=1) * np.log(np.exp(cooled).sum(axis=1))
        prior = -0.5 * (np.log(candidate / PRIOR_TEMPERATURE) / PRIOR_SPREAD) ** 2
        scores.append(float(told.sum() + prior))
    return float(_TEMPERATURES[int(np.argmax(scores))])


def _best_score(logits: np.ndarray, label_ids: np.ndarray, *, candidate: float) -> float:
    """Log posterior of a temperature under the noise that suits it best."""
    cooled = np.asarray(logits, dtype=np.float64) / candidate
    proba = np.exp(cooled - cooled.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    own = proba[np.arange(len(label_ids)), label_ids]
    others = (1.0 - own) / max(proba.shape[1] - 1, 1)
    seen = (1.0 - _NOISES)[:, None] * own + _NOISES[:, None] * others
    prior = -0.5 * (np.log(candidate / PRIOR_TEMPERATURE) / PRIOR_SPREAD) ** 2
    fits = np.log(np.maximum(seen, 1e-12)).sum(axis=1) - _NOISES / PRIOR_NOISE
    return float(fits.max() + prior)
