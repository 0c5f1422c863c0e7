"""What an annotator will answer, foretold (freeal/aggregation/answer_forecast.py)."""

from __future__ import annotations

import numpy as np

from freeal.aggregation.answer_forecast import forecast_answers


def test_of_very_many_answers_a_part_taken_evenly_tells_the_same():
    """The forecast of all texts is the one that is fitted to every second answer alone, and near that of all."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 4_000)
    logits = rng.normal(size=(4_000, 3)) + 2.0 * np.eye(3)[truth]
    answers = np.where(rng.random(4_000) < 0.15, (truth + 1) % 3, truth)
    half = np.where(np.arange(4_000) % 2 == 0, answers, -1)
    found, apart, whole = (
        forecast_answers([logits], answers, most_fitted=2_000),
        forecast_answers([logits], half),
        forecast_answers([logits], answers),
    )
    np.testing.assert_array_equal(apart.answers, found.answers)
    assert (apart.weights != whole.weights).all()
    assert 0.02 > np.abs(found.answers - whole.answers).mean()


def test_answers_up_to_the_bound_are_all_fitted():
    """Where there are as many as the bound allows, the bound changes nothing."""
    rng = np.random.default_rng(1)
    logits, answers = rng.normal(size=(300, 2)), rng.integers(-1, 2, 300)
    known = int((answers >= 0).sum())
    bounded, free = forecast_answers([logits], answers, most_fitted=known), forecast_answers([logits], answers)
    np.testing.assert_array_equal(free.answers, bounded.answers)
