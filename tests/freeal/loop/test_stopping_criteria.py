"""When the rounds end and which one is kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from freeal.loop.stopping_criteria import best_round, settled

MANY = (["yes"] * 400, [0.9] * 400, [[0.1, 0.9]] * 400)


@pytest.mark.parametrize(("changed", "expected"), [(0, True), (9, True), (10, False), (500, False)])
def test_fewer_than_one_percent_changed_labels_settle_the_loop(changed, expected):
    """Nine of a thousand labels are too few to train again for, ten are not."""
    assert expected == settled(changed, 1000, share=0.01)


def test_the_last_round_is_kept_when_agreement_hardly_moves(make_round):
    """A drop within two standard errors (here 3 points) is noise: the last round had the better demonstrations."""
    rounds = [make_round(*MANY, number=1, agreement=0.90), make_round(*MANY, number=2, agreement=0.88)]
    assert 2 == best_round(rounds).round


def test_an_earlier_round_is_kept_when_student_and_llm_parted_later(make_round):
    """A student led astray disagrees with its teacher; the round before it is better."""
    rounds = [make_round(*MANY, number=n, agreement=a) for n, a in ((1, 0.85), (2, 0.92), (3, 0.70))]
    assert 2 == best_round(rounds).round


@pytest.mark.parametrize(("answered", "kept"), [(40, 2), (400, 1)])
def test_agreement_counts_by_the_texts_that_were_asked(make_round, answered, kept):
    """Where a tenth of the pool has an answer, seven points are noise that they would not be over all of it."""
    said = (["yes"] * answered + [None] * (400 - answered), *MANY[1:])
    rounds = [make_round(*said, number=number, agreement=share) for number, share in ((1, 0.97), (2, 0.90))]
    assert kept == best_round(rounds).round


def test_equal_rounds_seldom_seem_clearly_different(make_round):
    """Of rounds that agree equally often, drawn by chance, about one in forty is left for the one before it."""
    first, second = (make_round(["yes"] * 100, [0.9] * 100, [[0.1, 0.9]] * 100, number=number) for number in (1, 2))
    left = 0
    for before, after in np.random.default_rng(0).binomial(100, 0.85, size=(2000, 2)) / 100:
        pair = [
            dataclasses.replace(state, metrics={"agreement": share})
            for state, share in ((first, before), (second, after))
        ]
        left += best_round(pair).round == 1
    assert 0.05 > left / 2000
