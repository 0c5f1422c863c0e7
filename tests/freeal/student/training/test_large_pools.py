"""Heads on more texts than are looked at together: what is drawn, what is judged; few texts see no difference."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.compute import scratch_arrays
from freeal.student.training import linear_probe
from freeal.student.training.linear_probe import logits_of_head
from freeal.student.training.scaled_rows import MOST_MEASURED, ScaledRows

RNG = np.random.default_rng(0)


def _points(count, *, dimensions=4, seed=0):
    """Features of three classes, and their labels, a tenth of them wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    features = rng.normal(size=(count, dimensions)) + 2.0 * np.eye(3, dimensions)[truth]
    said = np.where(rng.random(count) < 0.1, rng.integers(0, 3, count), truth)
    return features.astype(np.float32), truth, said


def test_scaled_rows_are_the_rows_scaled():
    """To the last bit, whatever is asked for, without a copy of all."""
    features, _, _ = _points(500)
    rows = np.flatnonzero(RNG.random(500) < 0.7)
    scaled = ScaledRows.of_unit_variance(features, rows)
    expected = features[rows] / (float(features[rows].std()) or 1.0)
    mask = RNG.random(len(rows)) < 0.5
    np.testing.assert_array_equal(expected[mask], scaled[mask])
    np.testing.assert_array_equal(expected[7:9], scaled[7:9])
    assert (len(rows), 4) == scaled.shape
    np.testing.assert_array_equal(features / scaled.scale, scaled.of_all()[:])


def test_a_probe_of_scaled_rows_is_that_of_the_scaled_features():
    """To the last bit."""
    features, _, said = _points(400)
    rows = np.arange(400)
    scaled = ScaledRows.of_unit_variance(features, rows)
    expected = linear_probe.fit_probe(features / scaled.scale, said, labels=3, seed=1)
    found = linear_probe.fit_probe(scaled, said, labels=3, seed=1)
    np.testing.assert_array_equal(expected.weight, found.weight)
    np.testing.assert_array_equal(expected.held_out, found.held_out)


def test_the_spread_of_very_many_is_told_from_some():
    """Within a hundredth of a per cent."""
    features = RNG.normal(size=(3 * MOST_MEASURED + 7, 64)).astype(np.float16)
    scaled = ScaledRows.of_unit_variance(features, np.arange(len(features)))
    assert float(features.astype(np.float32).std()) == pytest.approx(scaled.scale, rel=1e-3)


def test_logits_are_computed_piece_by_piece():
    """Of all rows or some, in half precision too."""
    features = RNG.normal(size=(2 * scratch_arrays.PIECE_ROWS + 3, 4)).astype(np.float16)
    weight, bias = RNG.normal(size=(3, 4)), RNG.normal(size=3)
    expected = features.astype(np.float64) @ weight.T + bias
    np.testing.assert_allclose(expected, logits_of_head(features, weight, bias), rtol=1e-6)
    rows = np.flatnonzero(RNG.random(len(features)) < 0.9)
    np.testing.assert_allclose(expected[rows], logits_of_head(features, weight, bias, rows), rtol=1e-6)


def test_a_head_of_very_many_learns_from_some_and_judges_all():
    """Twice as many as a head learns from: every text has held-out logits, and the head is that of all of them within
    its bound."""
    features, truth, said = _points(2 * linear_probe.MOST_LEARNED)
    found = linear_probe.fit_probe(features, said, labels=3, seed=0)
    assert (len(said), 3) == found.held_out.shape
    assert (found.held_out != 0.0).any(axis=1).all()
    few = linear_probe.fit_probe(features[:5_000], said[:5_000], labels=3, seed=0)
    loss = {
        name: linear_probe.cross_entropy(one.logits(features), truth).mean()
        for name, one in {"many": found, "few": few}.items()
    }
    bound = 2 * 5 / (2 * linear_probe.MOST_LEARNED)
    assert loss["many"] <= loss["few"] + 2 * bound
    again = linear_probe.fit_probe(features, said, labels=3, seed=0)
    np.testing.assert_array_equal(found.weight, again.weight)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("chosen", [slice(2, 5), np.array([4, 2, 2]), np.arange(8) > 4])
def test_who_looks_at_scaled_rows_leaves_the_matrix_as_it_is(dtype, chosen):
    """Whatever is asked for is scaled apart, and the same numbers come again."""
    features = np.random.default_rng(0).normal(size=(8, 3)).astype(dtype)
    before, rows = features.copy(), ScaledRows(features, None, 2.5)
    expected = before.astype(np.float32)[chosen] / 2.5
    for _ in range(2):
        np.testing.assert_array_equal(expected, rows[chosen])
    np.testing.assert_array_equal(before, features)
