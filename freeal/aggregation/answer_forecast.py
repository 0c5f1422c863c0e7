"""What an annotator will answer, foretold by classifiers that never saw its answer to the text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.aggregation.noise_transition import PRIOR_ERROR, softmax, spread_evenly

MOST_FITTED = 100_000
"""Answered texts, taken evenly, that a forecast is fitted to where there are more: it has a weight for each predictor
and two values for each label. Of 200,000 texts and three labels the answers foretold from half of them differ by 0.001
on average, 0.007 at most. All texts are judged."""
_SCALE_SPREAD = 1.5
"""Standard deviation of the logarithm of the first predictor's weight under its prior, which sits at 1."""
_WEIGHT_SPREAD = 0.5
"""Standard deviation of every other predictor's weight under its prior, which sits at 0: it counts by evidence."""
_BIAS_SPREAD = 1.0
_ERROR_SPREAD = 1.0
"""Standard deviation of the labels' errors about their mean, in logits."""


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """What predictors say the annotator will answer. `answers` float64 [n, labels] are probabilities of its answers,
    calibrated to them; `weights` [predictors] what each predictor's log-probabilities count."""

    answers: np.ndarray
    weights: np.ndarray


def forecast_answers(
    predictors: Sequence[np.ndarray], label_ids: np.ndarray, *, most_fitted: int = MOST_FITTED
) -> Forecast:
    """Forecast an annotator's answers: predictors joined so that they foretell them best.

    Each of `predictors` float [n, labels] holds logits that do not depend on the answer to the same text, the student's
    first; `label_ids` int [n] are the answers, -1 where there is none. The joint logits are a weighted sum and a bias
    per label; a share of each label's answers is taken to follow from nothing, so that its curve may end below 1 (all
    fitted together, by likelihood under priors that keep few texts from deciding). A predictor that does not help gets
    a weight near 0. Fitted to `most_fitted` answers at most.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # comes with scikit-learn

    logits = np.stack([_centred(one) for one in predictors])
    known = np.flatnonzero(label_ids >= 0)
    known = known[:: max(1, -(-len(known) // most_fitted))]
    labels = logits.shape[2]
    fit = _Fit(logits[:, known], np.asarray(label_ids)[known])
    count = len(logits)
    start = np.concatenate([np.zeros(count + labels), np.full(labels, np.log(PRIOR_ERROR / (1.0 - PRIOR_ERROR)))])
    bounds = [(-3.0, 3.0)] + [(0.0, 5.0)] * (count - 1) + [(-10.0, 10.0)] * labels + [(-6.0, 3.0)] * labels
    found = minimize(fit, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights, bias, errors = _unpacked(found, count, labels)
    clean = softmax(np.tensordot(weights, logits, 1) + bias)
    return Forecast(clean @ spread_evenly(errors), weights)


def _centred(logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits, dtype=np.float64)
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))


def _unpacked(values: np.ndarray, count: int, labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, biases and errors of the parameters: the first weight by its logarithm, errors by their logits."""
    weights = values[:count].copy()
    weights[0] = np.exp(weights[0])
    return weights, values[count : count + labels], 1.0 / (1.0 + np.exp(-values[count + labels :]))


class _Fit:
    """The negative log posterior of weights, biases and errors, and its gradient."""

    def __init__(self, logits: np.ndarray, label_ids: np.ndarray) -> None:
        self.logits, self.label_ids = logits, label_ids
        self.own = np.eye(logits.shape[2])[label_ids]

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray[Any, Any]]:
        """Loss and gradient of a forecast at `values`: how badly weights, bias and the noise they leave foretell the
        answers."""
        count, labels = len(self.logits), self.logits.shape[2]
        weights, bias, errors = _unpacked(values, count, labels)
        proba = softmax(np.tensordot(weights, self.logits, 1) + bias)
        joint = proba * spread_evenly(errors)[:, self.label_ids].T
        seen = np.maximum(joint.sum(axis=1), 1e-300)
        blamed = joint / seen[:, None]
        slopes = proba - blamed
        of_weights = np.tensordot(self.logits, slopes, 2)
        of_weights[0] *= weights[0]
        right = (blamed * self.own).sum(axis=0)
        wrong = blamed.sum(axis=0) - right
        apart = values[count + labels :] - values[count + labels :].mean()
        of_errors = right * errors - wrong * (1.0 - errors) + apart / _ERROR_SPREAD**2
        of_errors += errors * (1.0 - errors) / PRIOR_ERROR / labels
        spreads = np.full(count, _WEIGHT_SPREAD)
        spreads[0] = _SCALE_SPREAD
        prior = 0.5 * ((values[:count] / spreads) ** 2).sum() + 0.5 * ((bias / _BIAS_SPREAD) ** 2).sum()
        prior += 0.5 * ((apart / _ERROR_SPREAD) ** 2).sum() + errors.mean() / PRIOR_ERROR
        loss = -np.log(seen).sum() + prior
        gradient = [of_weights + values[:count] / spreads**2, slopes.sum(axis=0) + bias / _BIAS_SPREAD**2, of_errors]
        return float(loss), np.concatenate(gradient)
