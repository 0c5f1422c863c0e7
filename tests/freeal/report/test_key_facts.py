"""What the first screen of a report says in words."""

from __future__ import annotations

import dataclasses

import pytest

from freeal.report.key_facts import answered_by, confidence_error


@pytest.mark.parametrize(
    ("mean", "right", "error", "said"),
    [
        (0.71, 0.93, 0.22, "too low: 71.0 % on average where 93.0 % are right."),
        (0.97, 0.80, 0.17, "too high: 97.0 % on average where 80.0 % are right."),
        (0.81, 0.80, 0.15, "too high for some rows and too low for others."),
    ],
)
def test_an_error_of_confidence_has_a_direction(mean, right, error, said):
    """A reader learns whether to trust the figures more or less than they say."""
    final = {"mean_confidence": mean, "calibration_error": error, "coverage_curve": [{"accuracy": right}]}
    assert confidence_error(final).endswith(said)
    assert confidence_error(final).startswith(f"Confidence is off by {error * 100:.0f} points on average")


@pytest.mark.parametrize(("processes", "said"), [(1, "one process"), (2, "2 processes")])
def test_the_student_tells_of_the_cluster_that_trained_it(finish, processes, said):
    """A reader sees over what it was trained, also where a later round settled; nothing where it was this process."""
    run = finish()
    assert "trained over" not in dict(answered_by(run))["student"]
    trained = {"training_engine": "ray", "training_processes": processes}
    [*before, last] = run.result.rounds
    over_ray = dataclasses.replace(last, metrics=last.metrics | trained, settled=False)
    settled = dataclasses.replace(last, round=last.round + 1, settled=True)
    result = dataclasses.replace(run.result, rounds=(*before, over_ray, settled), best=settled)
    facts = dict(answered_by(dataclasses.replace(run, result=result)))
    assert facts["student"].endswith(f", trained over Ray by {said}")
