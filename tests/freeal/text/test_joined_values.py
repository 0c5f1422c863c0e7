"""Several values in the cells of a column: found where they are, and only there."""

from __future__ import annotations

import itertools

import pytest

from freeal.text.joined_values import Joined, JoinedValues


def _found(cells, *, most=50):
    column = JoinedValues(most)
    for cell in cells:
        column.take(cell)
    return column.found()


@pytest.mark.parametrize("sign", [";", ",", "|", "/", "+"])
def test_values_that_recur_in_other_company_are_told_apart(sign):
    """Whatever stands between them, with blanks or without; what says that none applies is no value."""
    cells = ["price", f"price{sign} delivery", f"delivery{sign}size", "size", "(none)", "", "size"]
    assert Joined(sign, ("size", "delivery", "price")) == _found(cells)


def test_many_combinations_are_few_values():
    """Of eight labels every three: 56 different cells."""
    labels = "abcdefgh"
    cells = [";".join(three) for three in itertools.combinations(labels, 3)]
    assert Joined(";", tuple(labels)) == _found(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["yes", "no", "N/A"] * 5,
        ["food/drink", "bar/pub", "TCP/IP"] * 5,
        ["billing / refund", "billing / late", "technical / login", "technical / crash"] * 5,
        ["1,5", "1,7", "2,5", "2,7"] * 5,
        ["2026/01/02", "2026/01/03", "2026/02/03"] * 5,
        ["good", "bad"] * 5,
        ["it came late, and it was broken", "it was broken, and nobody cared"] * 5,
        [f"Smith {number}, John {number}" for number in range(60)],
        ["refund;angry"],
        [],
    ],
)
def test_names_numbers_and_sentences_stay_whole(cells):
    """A sign within them says nothing."""
    assert _found(cells) is None


def test_a_long_text_ends_the_search():
    """A column of texts is not kept in memory."""
    column = JoinedValues(50)
    column.take("a text without any sign that is longer than forty characters")
    for number in range(1000):
        column.take(f"{number};{number + 1}")
    assert column.found() is None
