"""Several labels as one string (freeal/text/joined_labels.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.text import joined_labels
from freeal.text.joined_labels import NONE, in_order, joined, split

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
    lambda name: name.casefold() != NONE
)


@given(st.lists(names, max_size=5))
def test_what_was_joined_comes_apart_again(several):
    """Whatever the names hold, separators and backslashes too."""
    assert tuple(several) == split(joined(several))


@pytest.mark.parametrize(
    ("said", "separator", "found"),
    [
        ("a; b ;;c", ";", ("a", "b", "c")),
        ("(None)", ";", ()),
        ("", ";", ()),
        ("a|b", "|", ("a", "b")),
        ("a;b|c", "|", ("a;b", "c")),
        (r"a\|b|c", "|", ("a|b", "c")),
        ("ends with \\", ";", ("ends with \\",)),
    ],
)
def test_what_people_write_is_read(said, separator, found):
    """Blanks and empty parts count for nothing; another separator leaves the usual one alone."""
    assert found == split(said, separator)


def test_none_is_never_an_empty_cell():
    """An empty cell says nothing: no label has a word of its own; the order is that of the spec."""
    assert ("(none)", "(none)") == (joined([]), in_order([], ["a"]))
    assert "a;b" == in_order(["b", "a", "b"], ["a", "b", "c"])
    assert ";" == joined_labels.SEPARATOR
