"""Which of several students: the one that foretells the labels best, where it is worth its time.

A student is judged on texts whose labels it has not learned, by the mean logarithm of the probability it gives to what
all voices say of them (a proper score: only the true probabilities have the highest one). Each candidate's forecast is
a voice in that, and counts as much as any other's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PRICE_PER_DOUBLING = 0.01
"""Nats per text that a student must be better by for each doubling of its work, where it runs on a CPU: what a day of
somebody's processor is worth is chosen here, not measured. On a GPU time costs nothing."""
_FLOOR = 1e-6


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """What one candidate said: `proba` float [n, labels] of texts it had not learned; `work` and `size_bytes` as in
    candidates.py; the `seconds` that took and how many texts a second it then labels."""

    name: str
    work: float
    size_bytes: int
    proba: np.ndarray
    seconds: float
    texts_per_second: float


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """`chosen` is the position of the winner; `record` is what metrics.json tells."""

    chosen: int
    record: dict[str, Any]


def compare_by_likelihood(
    forecasts: Sequence[Forecast], weigh: Callable[[np.ndarray], np.ndarray], *, on_cpu: bool, folds: int
) -> Comparison:
    """`weigh` makes of a student's out-of-fold logits [n, labels] what all voices say, float [n, labels]. Depends on
    nothing that is measured by a clock."""
    said = [np.log(np.maximum(np.asarray(one.proba, dtype=np.float64), _FLOOR)) for one in forecasts]
    target = np.mean([weigh(logits) for logits in said], axis=0)
    scores = [(target * logits).sum(axis=1) for logits in said]
    chosen = choose_by_likelihood(scores, [one.work for one in forecasts], price=PRICE_PER_DOUBLING if on_cpu else 0.0)
    entries = []
    for position, (one, score, logits) in enumerate(zip(forecasts, scores, said, strict=True)):
        gap, error = _gain(score, scores[chosen])
        entries.append(
            {
                "model": one.name,
                "log_likelihood": round(float(score.mean()), 4),
                "difference": round(gap, 4),
                "standard_error": round(error, 4),
                "agreement": round(float((logits.argmax(axis=1) == target.argmax(axis=1)).mean()), 4),
                "texts_per_second": round(one.texts_per_second, 1),
                "size_mb": round(one.size_bytes / 1e6, 1),
                "work": round(one.work, 3),
                "seconds": round(one.seconds, 1),
                "chosen": position == chosen,
            }
        )
    record = {
        "texts": len(target),
        "folds": folds,
        "price_per_doubling": PRICE_PER_DOUBLING if on_cpu else 0.0,
        "candidates": entries,
    }
    return Comparison(chosen, record)


def choose_by_likelihood(scores: Sequence[np.ndarray], work: Sequence[float], *, price: float) -> int:
    """The position of the winner, from each candidate's score per text, [n] each.

    The least work stands until one that takes more is better by more than one standard error of their difference, text
    by text, and `price` for each doubling of the work.
    """
    least, *others = sorted(range(len(scores)), key=lambda position: (work[position], position))
    best = least
    for other in others:
        gain, error = _gain(scores[other], scores[best])
        if gain - error > price * math.log2(work[other] / work[best]):
            best = other
    return best


def _gain(score: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Mean difference per text and its standard error."""
    difference = score - other
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def choice_in_words(record: dict[str, Any]) -> str:
    """The table in one sentence, for a log."""
    parts = [
        f"{one['model']} {one['log_likelihood']:.3f} ({one['texts_per_second']:,.0f} texts/s, {one['size_mb']:,.0f} MB)"
        for one in record["candidates"]
    ]
    winner = next(one["model"] for one in record["candidates"] if one["chosen"])
    return (
        f"student.model: log likelihood per text of what all voices say, out of fold on {record['texts']} texts: "
        f"{', '.join(parts)}; {winner} is trained on"
    )
