"""Whether there is anything to see in a text: forms and web pages fill empty cells with what shows nothing."""

from __future__ import annotations

import unicodedata

_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Mn", "Zl", "Zp", "Zs"})
"""Controls, formats (zero-width space, soft hyphen, byte-order mark), marks on no letter, spaces of all kinds."""

_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc")
"""Fillers that Unicode counts among letters and symbols, and the place of an object that was left out."""


def is_blank(text: str) -> bool:
    """Whether nobody can see anything in it."""
    return all(  # it stops at the first that can be seen, which almost always is the first
        mark in _UNSEEN or unicodedata.category(mark) in _UNSEEN_CATEGORIES for mark in text
    )


def trimmed(text: str) -> str:
    """Without white space around it; empty where there is nothing to see."""
    bare = text.strip()
    return "" if is_blank(bare) else bare
