"""When the rounds end and which one is kept."""

from __future__ import annotations

import pytest

from freeal.loop.stopping_criteria import best_round, settled

MANY = (["yes"] * 400, [0.9] * 400, [[0.1, 0.9]] * 400)


@pytest.mark.parametrize(("changed", "expected"), [(0, True), (9, True), (10, False), (500, False)])
def test_fewer_than_one_percent_changed_labels_settle_the_loop(changed, expected):
    """Nine of a thousand labels are too few to train again for, ten are not."""
    assert expected == settled(changed, 1000, stop_changed_share=0.01)


def test_the_last_round_is_kept_when_agreement_hardly_moves(make_round):
    """A drop within two standard errors (here 3 points) is noise: the last round had the better demonstrations."""
    rounds = [make_round(*MANY, number=1, agreement=0.90), make_round(*MANY, number=2, agreement=0.88)]
    assert 2 == best_round(rounds).round


def test_an_earlier_round_is_kept_when_student_and_llm_parted_later(make_round):
    """A student led astray disagrees with its teacher; the round before it is better."""
    rounds = [make_round(*MANY, number=n, agreement=a) for n, a in ((1, 0.85), (2, 0.92), (3, 0.70))]
    assert 2 == best_round(rounds).round
