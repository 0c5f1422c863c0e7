from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.llm.local.score_calibration import FULL_CORRECTION_ROWS, UNSCORED_SHARE, calibrate_scores, uncalibrated


def biased_scores(rows=200, *, bias=3.0, spread=0.3, seed=0):
    """Two labels, alternately true; the model prefers the second by `bias` nats whatever the row says."""
    rng = np.random.default_rng(seed)
    truth = np.arange(rows) % 2
    scores = rng.normal(-5.0, 0.05, (rows, 2))
    scores[np.arange(rows), truth] += spread
    scores[:, 1] += bias
    return scores, truth


def shortlisted_scores(rows=600, *, labels=20, on_list=6, seed=0):
    """Each row's true label and some others; the model likes labels and rows unequally, far more than it knows."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=rows)
    scores = rng.normal(0, 0.05, (rows, labels)) + rng.normal(0, 2, (1, labels)) + rng.normal(0, 3, (rows, 1))
    scores[np.arange(rows), truth] += 0.5
    chance = rng.random((rows, labels))
    chance[np.arange(rows), truth] = -1
    return np.where(chance.argsort(axis=1).argsort(axis=1) < on_list, scores, np.nan), truth


def test_probabilities_sum_to_one():
    """Every row is a distribution over the labels."""
    scores, _ = biased_scores()
    np.testing.assert_allclose(1.0, calibrate_scores(scores).sum(axis=1))
    np.testing.assert_allclose(1.0, uncalibrated(scores).sum(axis=1))


def test_a_preference_for_one_label_is_taken_out():
    """A bias ten times the signal decides every row before calibration and none after it."""
    scores, truth = biased_scores()
    assert {1} == set(uncalibrated(scores).argmax(axis=1))
    assert truth.tolist() == calibrate_scores(scores).argmax(axis=1).tolist()


def test_adding_a_constant_to_a_label_changes_nothing():
    """A full batch says the same however much the model likes a label's name."""
    scores, _ = biased_scores()
    np.testing.assert_allclose(calibrate_scores(scores), calibrate_scores(scores + np.array([0.0, 7.0])))


def test_confidence_does_not_depend_on_the_unit_of_the_scores():
    """A prompt whose scores spread five times wider is not believed more."""
    scores, _ = biased_scores()
    np.testing.assert_allclose(calibrate_scores(scores), calibrate_scores(5 * scores))


def test_one_row_keeps_its_verdict():
    """A single row is not compared with itself: its plain softmax stays."""
    scores = np.array([[-1.0, -3.0, -2.0]])
    np.testing.assert_allclose(uncalibrated(scores), calibrate_scores(scores))


def test_few_rows_are_corrected_less_than_many():
    """The correction grows with the rows until a batch speaks for itself."""
    rows = [2, 8, FULL_CORRECTION_ROWS]
    preferred = [calibrate_scores(biased_scores(count, spread=0.0)[0])[:, 1].mean() for count in rows]
    assert sorted(preferred, reverse=True) == preferred
    assert 0.85 < preferred[0]
    assert pytest.approx(0.5, abs=0.1) == preferred[-1]


def test_identical_rows_keep_their_verdict():
    """A thousand copies of one row are one row."""
    one = np.array([[-1.0, -3.0]])
    np.testing.assert_allclose(uncalibrated(one).repeat(1000, axis=0), calibrate_scores(one.repeat(1000, axis=0)))


def test_a_label_that_never_varies_is_no_division_by_zero():
    """Scores that differ in one label only still give finite probabilities."""
    scores = np.full((50, 3), -2.0)
    scores[:, 0] = np.linspace(-3.0, -1.0, 50)
    probabilities = calibrate_scores(scores)
    assert np.isfinite(probabilities).all()
    assert [1, 0] == [int(probabilities[0].argmax() != 0), int(probabilities[-1].argmax())]


def test_the_prior_moves_the_undecided_rows():
    """Expected shares shift probabilities towards the frequent label and leave clear rows alone."""
    scores, _ = biased_scores()
    even, skewed = calibrate_scores(scores), calibrate_scores(scores, prior=np.array([0.8, 0.2]))
    assert (skewed[:, 0] > even[:, 0]).all()
    np.testing.assert_allclose(np.log(4), np.log(skewed[:, 0] / skewed[:, 1]) - np.log(even[:, 0] / even[:, 1]))


def test_a_label_the_prior_never_saw_stays_possible():
    """A share of 0 is no verdict."""
    scores, _ = biased_scores()
    assert (calibrate_scores(scores, prior=np.array([1.0, 0.0]))[:, 1] > 0).all()


def test_no_rows_give_no_rows():
    """An empty batch is not an error."""
    assert (0, 3) == calibrate_scores(np.empty((0, 3))).shape == uncalibrated(np.empty((0, 3))).shape


def test_the_scores_given_stay_as_they_are():
    """The caller's array is not written to."""
    scores, _ = biased_scores()
    before = scores.copy()
    calibrate_scores(scores)
    np.testing.assert_array_equal(before, scores)


@pytest.mark.parametrize(
    ("scores", "prior", "message"),
    [
        (np.zeros(3), None, "shape"),
        (np.array([[0.0, np.inf]]), None, "not finite"),
        (np.array([[0.0, 1.0], [np.nan, np.nan]]), None, "no score"),
        (np.zeros((2, 2)), np.array([1.0]), "2 shares"),
        (np.zeros((2, 2)), np.array([1.0, -0.5]), "2 shares"),
        (np.zeros((2, 2)), np.zeros(2), "2 shares"),
    ],
)
def test_unusable_input_is_refused(scores, prior, message):
    """Wrong shapes, rows without a number and impossible priors are errors, not probabilities."""
    with pytest.raises(ValueError, match=message):
        calibrate_scores(scores, prior=prior)


@pytest.mark.parametrize("rows", [1, 2, 9, 200])
def test_with_every_score_there_it_is_batch_calibration(rows):
    """Mean and spread of each label over all rows, in proportion to the rows: the formula, written plainly."""
    raw = np.random.default_rng(0).normal(size=(rows, 4)) * [1, 2, 3, 4]
    strength = min(1.0, (rows - 1) / (FULL_CORRECTION_ROWS - 1))
    centred = raw - strength * raw.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    logits = centred / (1.0 + strength * (np.maximum(centred.std(axis=0), 0.1) * 1.25 - 1.0))
    weights = np.exp(logits)
    np.testing.assert_allclose(weights / weights.sum(axis=1, keepdims=True), calibrate_scores(raw), rtol=1e-9)


def test_preferences_are_taken_out_of_rows_with_different_labels():
    """A label is compared with the labels it stood beside, so neither loud rows nor loud labels decide."""
    scores, truth = shortlisted_scores()
    assert np.mean(uncalibrated(scores).argmax(axis=1) == truth) < 0.5
    assert np.mean(calibrate_scores(scores).argmax(axis=1) == truth) > 0.97


def test_how_loud_a_row_is_changes_nothing_where_labels_are_missing():
    """A constant added to all scores of a row is not mistaken for a liking of the labels it happens to have."""
    scores, _ = shortlisted_scores()
    louder = scores + np.random.default_rng(1).normal(0, 5, (len(scores), 1))
    np.testing.assert_allclose(calibrate_scores(scores), calibrate_scores(louder), atol=1e-6)


def test_a_label_that_few_rows_have_keeps_its_evidence():
    """Its only score is not subtracted from itself: what stands out on one row wins it."""
    scores, _ = shortlisted_scores()
    scores = np.column_stack([scores, np.full(len(scores), np.nan)])
    scores[7, -1] = np.nanmax(scores[7]) + 3.0
    assert scores.shape[1] - 1 == calibrate_scores(scores)[7].argmax()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 9), st.floats(0.05, 1.0), st.floats(0.01, 50.0))
def test_labels_without_a_score_are_possible_and_never_win(seed, rows, labels, share, spread):
    """Every row is a distribution over all labels; those not asked about share little and stay behind all others."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(-5, spread, (rows, labels))
    asked = rng.random((rows, labels)) < share
    asked[np.arange(rows), rng.integers(labels, size=rows)] = True
    for probabilities in (
        uncalibrated(np.where(asked, scores, np.nan)),
        calibrate_scores(np.where(asked, scores, np.nan)),
    ):
        np.testing.assert_allclose(1.0, probabilities.sum(axis=1))
        assert np.where(asked, 0.0, probabilities).sum(axis=1).max() <= UNSCORED_SHARE
        least = np.where(asked, probabilities, np.inf).min(axis=1, keepdims=True)
        assert (asked | (probabilities <= least / 2 + 1e-300)).all()
        assert asked[np.arange(rows), probabilities.argmax(axis=1)].all()


def test_the_prior_counts_among_the_labels_asked_about():
    """Expected shares move the scored labels and lend nothing to the others."""
    scores, _ = shortlisted_scores(labels=4, on_list=2)
    skewed = calibrate_scores(scores, prior=np.array([0.7, 0.1, 0.1, 0.1]))
    assert (skewed[~np.isnan(scores[:, 0]), 0] > calibrate_scores(scores)[~np.isnan(scores[:, 0]), 0]).all()
    assert (skewed[np.isnan(scores[:, 0]), 0] <= UNSCORED_SHARE / 2).all()
