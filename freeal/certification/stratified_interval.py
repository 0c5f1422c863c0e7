"""The share of right labels among rows of which a sample was looked at, stratum by stratum, and its 95 % interval.

    share    = sum over strata of W_h * x_h / n_h                      W_h: the stratum's part of the rows
    variance = sum over strata of W_h^2 * (1 - n_h / N_h) * p_h * (1 - p_h) / n_h,   p_h = (x_h + 1/2) / (n_h + 1)
    n        = p * (1 - p) / variance                                  p: the share with the p_h in place of x_h / n_h
    interval = Clopper and Pearson's, of n * share right ones among n (Korn and Graubard 1998)

So many rows drawn by chance alone would tell as much: that is what n counts. p_h is never 0 or 1, so a stratum in which
nothing wrong was seen is not taken for one without errors. A stratum that was not looked at may be all right or all
wrong, and widens the interval by its whole part. Of fewer than FEW mistakes (or right ones) a variance tells little:
then n is at most the number of rows looked at, and in a stratum without any the rows left out count by the exact chance
of missing a mistake among N_h, (1 - n_h / N_h) for each.

Where a model's confidence runs with being right within the strata, the confidences of the rows that nobody looked at
say something too (prediction-powered inference, Angelopoulos et al. 2023, with the factor of Angelopoulos, Duchi and
Zrnic 2023):

    share    = above + lambda * sum over strata of W_h * (mean confidence of all its rows - of those looked at)
    variance = above * (1 - r^2),    r: the correlation within strata of being right and confidence, for its degrees of
                                     freedom
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from freeal.evaluation.confidence_intervals import clopper_pearson

LEVEL = 0.95
LEAST_MISTAKES = 10
"""As many right and wrong ones must have been seen before the confidences may say anything: of few, r is noise."""
_LEAST_GAIN = 0.02
"""Of the variance; less is noise too."""
FEW = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Stratum:
    """Rows of one kind: how many there are, and of those looked at which were `right` (bool or 0 and 1, [n]).

    `confidences` [n] are those of the rows looked at, `mean_confidence` that of all its rows.
    """

    rows: int
    right: np.ndarray
    confidences: np.ndarray | None = None
    mean_confidence: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A share and its 95 % interval. `looked_at` rows of `rows` tell as much as `worth` drawn by chance."""

    share: float | None
    low: float
    high: float
    looked_at: int
    rows: int
    worth: float
    prediction_powered: bool = False


def stratified_estimate(strata: Sequence[Stratum], *, level: float = LEVEL) -> Estimate:
    """The share over all rows of the strata. None, and (0, 1), where nothing was looked at.

    `level` is that of the interval with two ends; either end alone is exceeded in half of the rest.
    """
    strata = [one for one in strata if one.rows]
    rows, looked_at = sum(one.rows for one in strata), sum(len(one.right) for one in strata)
    seen = [one for one in strata if len(one.right)]
    if not seen:
        return Estimate(None, 0.0, 1.0, 0, rows, 0.0)
    known = sum(one.rows for one in seen)
    share, smooth, variance = _stratified_moments(seen, known)
    gain, shift = _variance_from_confidences(seen, known)
    shifted = min(1.0, max(0.0, share + shift))
    most = _most_worth(seen, known)
    low, high, worth = _clopper_pearson_of_moments(shifted, smooth, variance * (1.0 - gain), most=most, level=level)
    part = known / rows
    return Estimate(
        share=shifted,
        low=part * low,
        high=part * high + (1.0 - part),
        looked_at=looked_at,
        rows=rows,
        worth=worth,
        prediction_powered=gain > 0.0,
    )


def half_width_of_interval(weights: np.ndarray, wrong: np.ndarray, drawn: np.ndarray, *, rows: np.ndarray) -> float:
    """What half of the interval would be if so many rows were `drawn` from each stratum (all float [strata]) of which
    this share is `wrong`. Strata that nothing is drawn from count in full."""
    seen = drawn > 0
    left = float(weights[~seen].sum())
    kept = weights[seen] / max(1e-12, 1.0 - left)
    share = float(kept @ (1.0 - wrong[seen]))
    open_part = np.maximum(0.0, 1.0 - drawn[seen] / rows[seen])
    variance = float((kept**2 * open_part * wrong[seen] * (1.0 - wrong[seen]) / drawn[seen]).sum())
    low, high, _ = _clopper_pearson_of_moments(share, share, variance, most=math.inf)
    return ((high - low) * (1.0 - left) + left) / 2


def smoothed(right: float, of: float) -> float:
    """A share that is never 0 or 1 (Jeffreys' prior)."""
    return (right + 0.5) / (of + 1.0)


def _stratified_moments(seen: Sequence[Stratum], known: int) -> tuple[float, float, float]:
    share = smooth = variance = 0.0
    for one in seen:
        weight, of = one.rows / known, len(one.right)
        right = float(one.right.sum())
        inner = smoothed(right, of) if of < one.rows else right / of
        share += weight * right / of
        smooth += weight * inner
        open_part = (1.0 - of / one.rows) / of if 0 < right < of else 1.0 / _unseen(of, one.rows)
        variance += weight**2 * open_part * inner * (1.0 - inner)
    return share, smooth, variance


def _unseen(looked_at: int, rows: int) -> float:
    """How many draws with replacement would miss a row as surely as so many without."""
    return math.inf if looked_at >= rows else -rows * math.log1p(-looked_at / rows)


def _most_worth(seen: Sequence[Stratum], known: int) -> float:
    looked_at, right = sum(len(one.right) for one in seen), sum(int(one.right.sum()) for one in seen)
    return _unseen(looked_at, known) if min(right, looked_at - right) < FEW else math.inf


def _clopper_pearson_of_moments(
    share: float, smooth: float, variance: float, *, most: float, level: float = LEVEL
) -> tuple[float, float, float]:
    if variance <= 0.0:  # all rows were looked at
        return share, share, math.inf
    worth = min(most, smooth * (1.0 - smooth) / variance)
    return *clopper_pearson(worth * share, worth, level=level), worth


def _variance_from_confidences(seen: Sequence[Stratum], known: int) -> tuple[float, float]:
    """(the part of the variance that the confidences explain, what they move the share by); zeros where nothing."""
    pairs = [(one, one.confidences) for one in seen if one.confidences is not None and len(one.right) > 1]
    right = sum(int(one.right.sum()) for one in seen)
    looked_at = sum(len(one.right) for one in seen)
    free = looked_at - len(seen) - 1
    if len(pairs) < len(seen) or min(right, looked_at - right) < LEAST_MISTAKES or free < 1:
        return 0.0, 0.0
    covariance = spread = total = shift = 0.0
    for one, confidences in pairs:
        weight = (one.rows / known) ** 2 / len(one.right) ** 2
        x, y = confidences - confidences.mean(), one.right - one.right.mean()
        covariance += weight * float(x @ y)
        spread += weight * float(x @ x)
        total += weight * float(y @ y)
        shift += one.rows / known * (one.mean_confidence - float(confidences.mean()))
    if covariance <= 0.0 or spread <= 0.0 or total <= 0.0:
        return 0.0, 0.0
    explained = 1.0 - (1.0 - min(1.0, covariance**2 / (spread * total))) * (free + 1) / free
    if explained < _LEAST_GAIN:
        return 0.0, 0.0
    return explained, covariance / spread * shift
