"""Lists of names on a command line."""

from __future__ import annotations

import pytest

from freeal.cli.name_lists import listed_names


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["positive,negative"], ["positive", "negative"]),
        (["positive, negative"], ["positive", "negative"]),
        (["positive,", "negative"], ["positive", "negative"]),
        (["positive", "negative"], ["positive", "negative"]),
        (['"yes, please",no'], ["yes, please", "no"]),
        (["yes, please", "no"], ["yes, please", "no"]),
        (["one"], ["one"]),
        (["a,b,"], ["a", "b"]),
        (["a,,b"], ["a", "", "b"]),
        (["very good,bad"], ["very good", "bad"]),
        ([""], []),
    ],
)
def test_names_are_told_apart_as_a_person_wrote_them(arguments, expected):
    """Commas within one argument, quotes around a name that holds one, or an argument each."""
    assert expected == listed_names(arguments)
