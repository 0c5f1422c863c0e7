"""Scores of a model that does not write, where a text may have several labels."""

from __future__ import annotations

import numpy as np

from freeal.annotation.verdict import Verdict, judge_scores
from freeal.llm.local.score_calibration import calibrate_scores_of_each_label
from freeal.types import Label, Status, Task

TASK = Task("d", (Label("a"), Label("b"), Label("c")), "multi")


def test_each_label_is_calibrated_by_itself():
    """A label that scores high everywhere is no likelier for it: what stands out beside its other texts counts, and as
    many texts have it as the prior says."""
    rng = np.random.default_rng(0)
    truth = rng.random((400, 3)) < (0.5, 0.3, 0.1)
    scores = np.array([5.0, 0.0, -3.0]) + 2.0 * truth + rng.normal(scale=0.3, size=truth.shape)
    found = calibrate_scores_of_each_label(scores, prior=truth.mean(axis=0))
    for place in range(3):
        assert found[truth[:, place], place].mean() > found[~truth[:, place], place].mean() + 0.2
    assert np.all((found > 0) & (found < 1))


def test_verdicts_have_joined_labels():
    """Label, confidence and distribution of each text follow from its scores."""
    scores = np.tile([[0.0, 0.0, -9.0], [-9.0, -9.0, 0.0]], (40, 1)) + np.arange(80)[:, None] * 1e-6
    verdicts = [Verdict(None, 0.0, Status.OK) for _ in range(80)]
    judge_scores(verdicts, scores, task=TASK, prior=np.array([0.5, 0.5, 0.5]), calibrated=True)
    assert ("a;b", "c") == (verdicts[0].label, verdicts[1].label)
    own = np.array(verdicts[0].distribution)
    assert np.isclose(own[0] * own[1] * (1 - own[2]), verdicts[0].confidence)
