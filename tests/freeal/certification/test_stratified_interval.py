"""The interval of a stratified sample (freeal/certification/stratified_interval.py)."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.certification.stratified_interval import Stratum, half_width_of_interval, stratified_estimate
from freeal.evaluation.confidence_intervals import clopper_pearson


def _seen(rows, right, of, **confidences):
    return Stratum(rows, np.array([1.0] * right + [0.0] * (of - right)), **confidences)


def test_the_share_weighs_strata_by_their_rows():
    """Half wrong among a tenth of the rows is a twentieth wrong of all."""
    assert 0.95 == pytest.approx(stratified_estimate([_seen(900, 20, 20), _seen(100, 10, 20)]).share)


def test_a_sample_without_a_mistake_is_not_without_doubt():
    """Fifty right ones of many leave room for some 7 % mistakes, as the exact interval of fifty says; four strata of
    them leave no less."""
    alone = stratified_estimate([_seen(100_000, 50, 50)])
    parted = stratified_estimate(
        [_seen(25_000, 12, 12), _seen(25_000, 12, 12), _seen(25_000, 13, 13), _seen(25_000, 13, 13)]
    )
    assert clopper_pearson(50, 50)[0] == pytest.approx(alone.low, abs=1e-3)
    assert parted.low <= alone.low + 1e-3
    assert 1.0 == alone.high


def test_whoever_looks_at_all_rows_knows():
    """The interval of a file that was looked at whole is its share, without a width."""
    found = stratified_estimate([_seen(30, 28, 30), _seen(10, 5, 10)])
    assert (33 / 40, 33 / 40, 33 / 40) == pytest.approx((found.low, found.share, found.high))


def test_a_stratum_nobody_looked_at_may_be_all_wrong_or_all_right():
    """A quarter of the rows unseen: the ends are at least a quarter apart."""
    found = stratified_estimate([_seen(750, 40, 40), _seen(250, 0, 0)])
    assert found.low < 0.75
    assert 1.0 == pytest.approx(found.high)


def test_nothing_looked_at_says_nothing():
    """No share, and an interval of everything."""
    found = stratified_estimate([_seen(100, 0, 0)])
    assert (None, 0.0, 1.0) == (found.share, found.low, found.high)


def test_confidences_that_know_what_is_right_make_it_narrower():
    """Where confidence runs with being right within a stratum, the interval shrinks, and says by which method."""
    rng = np.random.default_rng(0)
    confidences = rng.uniform(size=120)
    right = (rng.uniform(size=120) < confidences).astype(float)
    plain = stratified_estimate([Stratum(10_000, right)])
    powered = stratified_estimate([Stratum(10_000, right, confidences, 0.5)])
    assert (False, True) == (plain.prediction_powered, powered.prediction_powered)
    assert powered.high - powered.low < 0.95 * (plain.high - plain.low)


def test_confidences_that_know_nothing_change_nothing():
    """Noise beside the answers leaves the stratified estimate as it is."""
    rng = np.random.default_rng(1)
    right = (rng.uniform(size=120) < 0.7).astype(float)
    noise = Stratum(10_000, right, rng.uniform(size=120), 0.5)
    assert stratified_estimate([Stratum(10_000, right)]) == stratified_estimate([noise])


@pytest.mark.parametrize(
    ("wrong", "rows"),
    [
        ((0.01, 0.05, 0.15, 0.5), (1000, 1000, 1000, 600)),
        ((0.03, 0.03, 0.03, 0.03), (8000, 500, 400, 300)),
        ((0.2, 0.3, 0.4, 0.6), (100, 80, 60, 60)),
    ],
)
@pytest.mark.parametrize("drawn", [(8, 10, 12, 10), (80, 7, 7, 6)])
def test_the_interval_holds_in_95_of_100_draws(wrong, rows, drawn):
    """600 draws from strata of known error, shared out well or badly: it holds in 93.5 % at least, which only one true
    95 % interval in twenty falls short of."""
    rng = np.random.default_rng(5)
    right = [round(count * (1 - share)) for count, share in zip(rows, wrong, strict=True)]
    drawn = [min(count, rows[place]) for place, count in enumerate(drawn)]
    truth, held = sum(right) / sum(rows), 0
    for _ in range(600):
        hits = [rng.hypergeometric(good, of - good, n) for good, of, n in zip(right, rows, drawn, strict=True)]
        found = stratified_estimate([_seen(of, int(x), n) for of, x, n in zip(rows, hits, drawn, strict=True)])
        held += found.low <= truth <= found.high
    assert held / 600 >= 0.935


def test_half_the_width_shrinks_with_the_root_of_the_rows():
    """Four times the rows, half the width."""
    weights, wrong, rows = np.array([0.6, 0.4]), np.array([0.1, 0.3]), np.array([60_000, 40_000])
    few = half_width_of_interval(weights, wrong, np.array([60.0, 40.0]), rows=rows)
    many = half_width_of_interval(weights, wrong, np.array([240.0, 160.0]), rows=rows)
    assert 0.5 == pytest.approx(many / few, abs=0.03)
