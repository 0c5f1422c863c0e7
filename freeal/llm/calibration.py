"""Label scores of a language model as probabilities.

A small model prefers some label names whatever the text says, and how far its scores spread depends on the prompt more
than on what it knows. Both show in the scores of many rows, and both are taken out without a single true label.
"""

from __future__ import annotations

import numpy as np

FULL_CORRECTION_ROWS = 32
"""From this many different rows on a batch speaks for itself."""
TEMPERATURE = 1.25
"""Of standardized scores; measured, see `calibrate`."""
_LEAST_SPREAD = 0.1


def calibrate(scores: np.ndarray, *, prior: np.ndarray | None = None) -> np.ndarray:
    """Probabilities float64 [n, labels] from log-probabilities [n, labels] of one batch of rows; rows sum to 1.

    Batch calibration (Zhou et al. 2023, arXiv 2309.17249, in the log domain): each label's mean over the batch is
    subtracted. Beyond the paper, what is left is divided by the label's spread over the batch and by TEMPERATURE,
    which makes the confidences of different prompts comparable (right answers and confidence differ least there, over
    two sentiment, one question and one topic set). This takes the labels to be equally frequent; `prior` [labels],
    their expected shares, corrects for it: its logarithm is added.

    Fewer than FULL_CORRECTION_ROWS different rows are corrected in proportion, a single one not at all. Raises
    ValueError for scores that are not finite or of another shape, or a prior that is negative or sums to 0.
    """
    raw = _checked(scores)
    if not raw.size:
        return raw
    distinct = len(np.unique(raw, axis=0))
    strength = min(1.0, (distinct - 1) / (FULL_CORRECTION_ROWS - 1))
    centred = raw - strength * raw.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    spread = np.maximum(centred.std(axis=0), _LEAST_SPREAD) * TEMPERATURE
    logits = centred / (1.0 + strength * (spread - 1.0))
    return _softmax(logits if prior is None else logits + _log_prior(prior, raw.shape[1]))


def uncalibrated(scores: np.ndarray) -> np.ndarray:
    """The plain softmax of log-probabilities [n, labels] over the labels, float64."""
    return _softmax(_checked(scores))


def _checked(scores: np.ndarray) -> np.ndarray:
    checked = np.array(scores, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] < 1:
        raise ValueError(f"scores have shape {checked.shape}, not [rows, labels]")
    if not np.isfinite(checked).all():
        raise ValueError("a score is not finite")
    return checked


def _log_prior(prior: np.ndarray, labels: int) -> np.ndarray:
    shares = np.asarray(prior, dtype=np.float64)
    if shares.shape != (labels,) or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(f"a prior is {labels} shares, none negative, not all 0")
    # A label the prior never saw stays possible.
    log: np.ndarray = np.log(np.maximum(shares / shares.sum(), 1e-6))
    return log


def _softmax(logits: np.ndarray) -> np.ndarray:
    if not logits.size:
        return logits
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return probabilities
