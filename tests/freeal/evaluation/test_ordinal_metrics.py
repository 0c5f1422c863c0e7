"""How far off labels with an order are (freeal/evaluation/ordinal_metrics.py)."""

from __future__ import annotations

from freeal.evaluation.ordinal_metrics import ordinal_metrics

STARS = ("1", "2", "3", "4", "5")


def test_steps_and_kappa_against_hand_counts():
    """Two right, one a step off, one four steps off; rows without a label are left out. Kappa by its definition: one
    less the squared steps seen (17) over those of chance."""
    found = ordinal_metrics(["1", "2", "3", "5", "4"], ["1", "2", "4", "1", None], STARS)
    chance = sum((a - b) ** 2 for a in (1, 2, 3, 5) for b in (1, 2, 4, 1)) / 4
    assert {"mean_distance": 1.25, "within_one": 0.75, "quadratic_kappa": round(1 - 17 / chance, 4)} == found


def test_nothing_is_said_of_nothing():
    """Without a labelled row there are no figures, and no kappa where all is one label."""
    assert {} == ordinal_metrics(["1"], [None], STARS)
    assert {"mean_distance": 0.0, "within_one": 1.0} == ordinal_metrics(["3", "3"], ["3", "3"], STARS)
