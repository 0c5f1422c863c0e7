"""What a language model is shown of long texts: demonstrations give way before the row does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeal.text import long_text_shortening
from freeal.types import Demonstration


def _demos(*sizes):
    return [Demonstration("d" * size, "a", "user", number) for number, size in enumerate(sizes)]


def test_short_texts_are_left_alone():
    """What fits stands as it is."""
    shared, own = _demos(10, 20), _demos(30)
    shown = long_text_shortening.shorten_to_fit("row", shared=shared, own=own)
    assert ("row", tuple(shared), tuple(own), False) == (shown.text, shown.shared, shown.own, shown.cut)


def test_a_long_row_keeps_its_beginning_and_its_end():
    """Three quarters of what may stay are the beginning; the cut is marked, and reported."""
    text = "begin " + "x" * 90_000 + " end"
    shown = long_text_shortening.shorten_to_fit(text)
    head, _, tail = shown.text.partition(long_text_shortening.GAP)
    assert long_text_shortening.MOST_TEXT_CHARACTERS == len(shown.text)
    assert (head, tail) == (text[: len(head)], text[-len(tail) :])
    assert 0.74 < len(head) / len(shown.text) < 0.76
    assert shown.cut


def test_demonstrations_are_shortened_before_the_row_is():
    """A row of 49,000 characters stays whole; eight long demonstrations share what is left."""
    row = "r" * 49_000
    shown = long_text_shortening.shorten_to_fit(row, shared=_demos(*[4_000] * 4), own=_demos(*[9_000] * 4))
    assert (row, False) == (shown.text, shown.cut)
    assert [1_375] * 8 == [len(demo.text) for demo in (*shown.shared, *shown.own)]
    assert all(long_text_shortening.GAP in demo.text for demo in shown.own)


def test_the_farthest_demonstrations_go_where_all_would_be_crumbs():
    """Of a hundred, as many as have room for 200 characters each stay: the last ones, the nearest."""
    shown = long_text_shortening.shorten_to_fit("r" * 50_000, shared=_demos(*[500] * 40), own=_demos(*[500] * 60))
    assert () == shown.shared
    assert list(range(10, 60)) == [demo.index for demo in shown.own]
    assert {200} == {len(demo.text) for demo in shown.own}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 80_000), st.lists(st.integers(1, 9_000), max_size=30), st.lists(st.integers(1, 9_000), max_size=9)
)
def test_a_prompt_has_an_end(row, shared, own):
    """Whatever the lengths, all together is bounded, and what is cut says so."""
    shown = long_text_shortening.shorten_to_fit("r" * row, shared=_demos(*shared), own=_demos(*own))
    demos = [*shown.shared, *shown.own]
    assert len(shown.text) + sum(len(demo.text) for demo in demos) <= long_text_shortening.MOST_PROMPT_CHARACTERS
    assert shown.cut == (row > long_text_shortening.MOST_TEXT_CHARACTERS)
    assert [demo.index for demo in shown.own] == list(range(len(own) - len(shown.own), len(own)))


@pytest.mark.parametrize("most", [20, 21, 100])
def test_ends_have_the_length_that_is_asked_for(most):
    """To the character."""
    assert most == len(long_text_shortening.shorten_to_ends("abc" * 100, most))
