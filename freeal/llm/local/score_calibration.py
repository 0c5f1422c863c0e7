"""Label scores of a language model as probabilities.

A small model prefers some label names whatever the text says, and how far its scores spread depends on the prompt more
than on what it knows. Both show in the scores of many rows, and both are taken out without a single true label.
"""

from __future__ import annotations

import numpy as np

FULL_CORRECTION_ROWS = 32
"""From this many different rows on a batch speaks for itself."""
TEMPERATURE = 1.25
"""Of standardized scores; measured, see `calibrate_scores`."""
UNSCORED_SHARE = 0.05
"""Probability left to all labels of a row together that were not scored: how often a shortlist misses the right one."""
_LEAST_SPREAD = 0.1
_LEAST_SHARE = 0.01
_MOST_SWEEPS = 50
_SETTLED_NATS = 1e-9


def calibrate_scores(scores: np.ndarray, *, prior: np.ndarray | None = None) -> np.ndarray:
    """Probabilities float64 [n, labels] from log-probabilities [n, labels] of one batch of rows; rows sum to 1.

    Batch calibration (Zhou et al. 2023, arXiv 2309.17249, in the log domain): each label's mean over the batch is
    subtracted. Beyond the paper, what is left is divided by the label's spread over the batch and by TEMPERATURE,
    which makes the confidences of different prompts comparable (right answers and confidence differ least there, over
    two sentiment, one question and one topic set). This takes the labels to be equally frequent; `prior` [labels],
    their expected shares, corrects for it: its logarithm is added.

    Fewer than FULL_CORRECTION_ROWS different rows are corrected in proportion, a single one not at all.

    A score that is nan was not asked for (the label is not on the row's shortlist). A label's mean and spread are then
    those over the rows that have it, beside their other labels; where fewer than FULL_CORRECTION_ROWS have it, they
    are drawn towards what all labels have in common, in proportion. A label that was not scored gets a small
    probability, at most half that of the least of those scored, so it never wins.

    Raises ValueError for scores that are infinite, a row without any, or another shape, or a prior that is negative or
    sums to 0.
    """
    raw = _checked_scores(scores)
    if not raw.size:
        return raw
    different = np.unique(np.where(np.isnan(raw), np.inf, raw), axis=0)
    strength = _proportion(np.array(len(different)))
    # how much each label's own rows count against what it shares with all labels: 1 where every row has every label
    own = _proportion(np.isfinite(different).sum(axis=0)) / strength if strength else np.zeros(raw.shape[1])
    centred = raw - strength * own * _label_preferences(raw)
    centred -= np.nanmean(centred, axis=1, keepdims=True)
    spread = np.maximum(_label_spreads(centred, own), _LEAST_SPREAD) * TEMPERATURE
    logits = centred / (1.0 + strength * (spread - 1.0))
    return _softmax_of_scored(logits if prior is None else logits + _log_prior(prior, raw.shape[1]))


EXPECTED_LABELS = 1.5
"""How many of several labels a text is taken to have, before anything is known."""


def calibrate_scores_of_each_label(scores: np.ndarray, *, prior: np.ndarray | None = None) -> np.ndarray:
    """Where a text may have several labels: a probability of each by itself, float64 [n, labels], from
    log-probabilities [n, labels] of one batch of rows without nan.

    What a row's score of a label says beside its scores of the others, and beside that label's scores in other rows, is
    the evidence of yes against no; each label's is calibrated by itself as if yes and no were two labels. `prior`
    [labels] are the expected shares of the rows that have each, EXPECTED_LABELS over all where None.
    """
    raw = _checked_scores(scores)
    if not raw.size:
        return raw
    labels = raw.shape[1]
    shares = np.full(labels, min(0.5, EXPECTED_LABELS / labels)) if prior is None else np.asarray(prior)
    shares = np.clip(shares, _LEAST_SHARE, 1.0 - _LEAST_SHARE)
    beside = raw - raw.mean(axis=1, keepdims=True)
    found = np.empty(raw.shape)
    for place in range(labels):
        both = np.stack([np.zeros(len(raw)), beside[:, place]], axis=1)
        found[:, place] = calibrate_scores(both, prior=np.array([1.0 - shares[place], shares[place]]))[:, 1]
    return found


def uncalibrated(scores: np.ndarray) -> np.ndarray:
    """The plain softmax of log-probabilities [n, labels] over the labels, float64; nan as in `calibrate_scores`."""
    return _softmax_of_scored(_checked_scores(scores))


def _checked_scores(scores: np.ndarray) -> np.ndarray:
    checked = np.array(scores, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] < 1:
        raise ValueError(f"scores have shape {checked.shape}, not [rows, labels]")
    if np.isinf(checked).any():
        raise ValueError("a score is not finite")
    if np.isnan(checked).all(axis=1).any():
        raise ValueError("a row has no score")
    return checked


def _proportion(rows: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.clip((rows - 1) / (FULL_CORRECTION_ROWS - 1), 0.0, 1.0)
    return share


def _label_preferences(raw: np.ndarray) -> np.ndarray:
    """How much likelier each label is than the others of the same rows, nats [labels], on average 0.

    Effects of label and row, added; with scores missing neither is a plain mean, so each is taken in turn from what
    the other leaves. With none missing the first sweep is exact.
    """
    scored = ~np.isnan(raw)
    filled = np.where(scored, raw, 0.0)
    per_row, per_label = scored.sum(axis=1), np.maximum(scored.sum(axis=0), 1)
    preference = np.zeros(raw.shape[1])
    for _ in range(_MOST_SWEEPS):
        of_rows = (filled.sum(axis=1) - scored @ preference) / per_row
        now = (filled.sum(axis=0) - of_rows @ scored) / per_label
        now = np.where(scored.any(axis=0), now - now[scored.any(axis=0)].mean(), 0.0)
        moved = np.abs(now - preference).max()
        preference = now
        if moved < _SETTLED_NATS:
            break
    return preference


def _label_spreads(centred: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Standard deviation per label over the rows that have it, drawn to that of all labels where `own` is below 1."""
    scored = ~np.isnan(centred)
    rows = np.maximum(scored.sum(axis=0), 1)
    mean = np.nansum(centred, axis=0) / rows
    squares = np.nansum((centred - mean) ** 2, axis=0)
    common = squares.sum() / scored.sum()
    spread: np.ndarray = np.sqrt(own * squares / rows + (1.0 - own) * common)
    return spread


def _log_prior(prior: np.ndarray, labels: int) -> np.ndarray:
    shares = np.asarray(prior, dtype=np.float64)
    if shares.shape != (labels,) or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(f"a prior is {labels} shares, none negative, not all 0")
    # A label the prior never saw stays possible.
    log: np.ndarray = np.log(np.maximum(shares / shares.sum(), 1e-6))
    return log


def _softmax_of_scored(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the finite logits, and a floor for nan."""
    if not logits.size:
        return logits
    scored = ~np.isnan(logits)
    weights = np.where(scored, np.exp(logits - np.nanmax(logits, axis=1, keepdims=True)), 0.0)
    probabilities: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    missing = (~scored).sum(axis=1, keepdims=True)
    if not missing.any():
        return probabilities
    least = np.where(scored, probabilities, np.inf).min(axis=1, keepdims=True)
    floor = np.minimum(UNSCORED_SHARE / np.maximum(missing, 1), least / 2)
    filled: np.ndarray = np.where(scored, probabilities, floor)
    filled /= filled.sum(axis=1, keepdims=True)
    return filled
