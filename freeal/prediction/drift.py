"""Whether what was labelled looks like what the model was trained on, in figures and in plain words.

A model labels whatever it is given. Three comparisons with the training rows, each with the value from which it is
remarked upon:

- how far the texts are from the training texts (profile.py): farther than 99 of 100 samples of as many training rows,
  and by more than a hundredth of the training texts' own spread, so that a large table is not reported for a difference
  nobody would see. Halves of one data set stayed below in all but 1 of 100 draws (MR, TREC, AG News, CR; 20 to 2,000
  rows), movie reviews against questions, news or product reviews were above in all of them from 50 rows on;
- the shares of the labels, by their total variation distance: beyond what chance makes of so many rows, and by 0.15.
  Where a text may have several labels, by the label whose share of the rows differs most;
- the mean confidence: lower by 0.15. A student is surer of the texts it has learned from, so less says nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from freeal.prediction.summary_counts import Tally
from freeal.prediction.text_profile import CHANCE, TextProfile
from freeal.types import Kind

LEAST_ROWS = 20
LEAST_DISTANCE = 0.01
LEAST_SPREAD = 0.01
"""Of a table that holds next to nothing but one text."""
LEAST_SHARE_DISTANCE = 0.15
LEAST_CONFIDENCE_DROP = 0.15
LONGER_SHARE = 0.05
"""A share of texts longer than every training text that is worth a word."""


def drift_from_training(tally: Tally, profile: TextProfile | None) -> dict[str, Any]:
    """The note for the summary: `compared_rows`, the figures with their thresholds, and `warnings`, in prose."""
    if profile is None:
        return {"warnings": [], "not_judged": "the model says nothing about its training texts"}
    if tally.compared < LEAST_ROWS:
        return {"warnings": [], "not_judged": f"fewer than {LEAST_ROWS} rows with text"}
    distance = _text_drift(tally, profile)
    shares = _label_share_drift(tally, profile)
    confidence = _confidence_drift(tally, profile)
    longer = round(tally.longer / tally.with_text, 4)
    return {
        "compared_rows": tally.compared,
        "text_distance": distance,
        "label_shares": shares,
        "confidence": confidence,
        "empty_share": {"here": round(tally.empty / tally.rows, 4), "training": round(profile.empty_share, 4)},
        "longer_than_any_training_text": longer,
        "truncated_share": round(tally.cut / tally.with_text, 4),
        "warnings": _drift_warnings(distance, shares, confidence, longer),
    }


def _text_drift(tally: Tally, profile: TextProfile) -> dict[str, float]:
    center = np.array(tally.vector_sum) / tally.compared
    chance = profile.threshold * (1.0 / tally.compared + 1.0 / profile.rows)
    squared = float(np.sum((center - np.array(profile.center)) ** 2))
    spread = max(profile.spread, LEAST_SPREAD)
    return {
        "here": round(squared / spread, 5),
        "threshold": round(max(chance / spread, LEAST_DISTANCE), 5),
    }


def _label_share_drift(tally: Tally, profile: TextProfile) -> dict[str, Any]:
    expected = np.array([profile.label_shares.get(label, 0.0) for label in tally.labels])
    found = np.array(tally.counts) / tally.with_text
    rng = np.random.default_rng(0)
    if tally.kind == "multi":
        draws = rng.binomial(tally.with_text, np.clip(expected, 0.0, 1.0), size=(500, len(expected)))
    else:
        expected = expected / max(1e-12, expected.sum())
        draws = rng.multinomial(tally.with_text, expected, size=500)
    chance = float(np.quantile(_distance_of_shares(draws / tally.with_text, expected, tally.kind), CHANCE))
    return {
        "training": dict(zip(tally.labels, (round(float(share), 4) for share in expected), strict=True)),
        "here": dict(zip(tally.labels, (round(float(share), 4) for share in found), strict=True)),
        "distance": round(float(_distance_of_shares(found[None], expected, tally.kind)[0]), 4),
        "threshold": round(max(chance, LEAST_SHARE_DISTANCE), 4),
    }


def _distance_of_shares(shares: np.ndarray, expected: np.ndarray, kind: Kind) -> np.ndarray:
    """Of samples [n, labels], float [n]."""
    apart = np.abs(shares - expected)
    return np.asarray(apart.max(axis=1) if kind == "multi" else apart.sum(axis=1) / 2)


def _confidence_drift(tally: Tally, profile: TextProfile) -> dict[str, float]:
    here = tally.confidence / tally.with_text
    return {
        "training": round(profile.mean_confidence, 4),
        "here": round(here, 4),
        "threshold": round(profile.mean_confidence - LEAST_CONFIDENCE_DROP, 4),
    }


def _drift_warnings(
    distance: dict[str, float], shares: dict[str, Any], confidence: dict[str, float], longer: float
) -> list[str]:
    found = []
    if distance["here"] > distance["threshold"]:
        found.append(
            "these texts look different from those the model was trained on: their distance is "
            f"{distance['here']:.3f}, chance alone stays below {distance['threshold']:.3f}; look at some of the labels "
            "before you rely on them"
        )
    if shares["distance"] > shares["threshold"]:
        label = max(shares["here"], key=lambda name: abs(shares["here"][name] - shares["training"][name]))
        found.append(
            f"the labels are spread differently than in training: {label!r} has {shares['here'][label]:.0%} of the "
            f"rows, it had {shares['training'][label]:.0%}"
        )
    if confidence["here"] < confidence["threshold"]:
        found.append(
            f"the model is less sure than in training: mean confidence {confidence['here']:.2f}, it was "
            f"{confidence['training']:.2f}"
        )
    if longer > LONGER_SHARE:
        found.append(f"{longer:.0%} of the texts are longer than any the model was trained on")
    return found
