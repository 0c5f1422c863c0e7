from __future__ import annotations

import numpy as np
import pytest

from freeal.llm.calibration import FULL_CORRECTION_ROWS, calibrate, uncalibrated


def biased_scores(rows=200, *, bias=3.0, spread=0.3, seed=0):
    """Two labels, alternately true; the model prefers the second by `bias` nats whatever the row says."""
    rng = np.random.default_rng(seed)
    truth = np.arange(rows) % 2
    scores = rng.normal(-5.0, 0.05, (rows, 2))
    scores[np.arange(rows), truth] += spread
    scores[:, 1] += bias
    return scores, truth


def test_probabilities_sum_to_one():
    """Every row is a distribution over the labels."""
    scores, _ = biased_scores()
    np.testing.assert_allclose(1.0, calibrate(scores).sum(axis=1))
    np.testing.assert_allclose(1.0, uncalibrated(scores).sum(axis=1))


def test_a_preference_for_one_label_is_taken_out():
    """A bias ten times the signal decides every row before calibration and none after it."""
    scores, truth = biased_scores()
    assert {1} == set(uncalibrated(scores).argmax(axis=1))
    assert truth.tolist() == calibrate(scores).argmax(axis=1).tolist()


def test_adding_a_constant_to_a_label_changes_nothing():
    """A full batch says the same however much the model likes a label's name."""
    scores, _ = biased_scores()
    np.testing.assert_allclose(calibrate(scores), calibrate(scores + np.array([0.0, 7.0])))


def test_confidence_does_not_depend_on_the_unit_of_the_scores():
    """A prompt whose scores spread five times wider is not believed more."""
    scores, _ = biased_scores()
    np.testing.assert_allclose(calibrate(scores), calibrate(5 * scores))


def test_one_row_keeps_its_verdict():
    """A single row is not compared with itself: its plain softmax stays."""
    scores = np.array([[-1.0, -3.0, -2.0]])
    np.testing.assert_allclose(uncalibrated(scores), calibrate(scores))


def test_few_rows_are_corrected_less_than_many():
    """The correction grows with the rows until a batch speaks for itself."""
    rows = [2, 8, FULL_CORRECTION_ROWS]
    preferred = [calibrate(biased_scores(count, spread=0.0)[0])[:, 1].mean() for count in rows]
    assert sorted(preferred, reverse=True) == preferred
    assert 0.85 < preferred[0]
    assert pytest.approx(0.5, abs=0.1) == preferred[-1]


def test_identical_rows_keep_their_verdict():
    """A thousand copies of one row are one row."""
    one = np.array([[-1.0, -3.0]])
    np.testing.assert_allclose(uncalibrated(one).repeat(1000, axis=0), calibrate(one.repeat(1000, axis=0)))


def test_a_label_that_never_varies_is_no_division_by_zero():
    """Scores that differ in one label only still give finite probabilities."""
    scores = np.full((50, 3), -2.0)
    scores[:, 0] = np.linspace(-3.0, -1.0, 50)
    probabilities = calibrate(scores)
    assert np.isfinite(probabilities).all()
    assert [1, 0] == [int(probabilities[0].argmax() != 0), int(probabilities[-1].argmax())]


def test_the_prior_moves_the_undecided_rows():
    """Expected shares shift probabilities towards the frequent label and leave clear rows alone."""
    scores, _ = biased_scores()
    even, skewed = calibrate(scores), calibrate(scores, prior=np.array([0.8, 0.2]))
    assert (skewed[:, 0] > even[:, 0]).all()
    np.testing.assert_allclose(np.log(4), np.log(skewed[:, 0] / skewed[:, 1]) - np.log(even[:, 0] / even[:, 1]))


def test_a_label_the_prior_never_saw_stays_possible():
    """A share of 0 is no verdict."""
    scores, _ = biased_scores()
    assert (calibrate(scores, prior=np.array([1.0, 0.0]))[:, 1] > 0).all()


def test_no_rows_give_no_rows():
    """An empty batch is not an error."""
    assert (0, 3) == calibrate(np.empty((0, 3))).shape == uncalibrated(np.empty((0, 3))).shape


def test_the_scores_given_stay_as_they_are():
    """The caller's array is not written to."""
    scores, _ = biased_scores()
    before = scores.copy()
    calibrate(scores)
    np.testing.assert_array_equal(before, scores)


@pytest.mark.parametrize(
    ("scores", "prior", "message"),
    [
        (np.zeros(3), None, "shape"),
        (np.array([[0.0, np.nan]]), None, "not finite"),
        (np.zeros((2, 2)), np.array([1.0]), "2 shares"),
        (np.zeros((2, 2)), np.array([1.0, -0.5]), "2 shares"),
        (np.zeros((2, 2)), np.zeros(2), "2 shares"),
    ],
)
def test_unusable_input_is_refused(scores, prior, message):
    """Wrong shapes, missing numbers and impossible priors are errors, not probabilities."""
    with pytest.raises(ValueError, match=message):
        calibrate(scores, prior=prior)
