"""A row's columns as one text, in the form every model of a job sees."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def row_text(columns: Sequence[str], values: Sequence[str]) -> str:
    """`column1: value1, column2: value2`, empty values left out; one column alone is its bare value."""
    if len(columns) == 1:
        return values[0].strip()
    return ", ".join(
        f"{column}: {value.strip()}" for column, value in zip(columns, values, strict=True) if value.strip()
    )


def visible(text: str) -> str:
    """`text` for a terminal: what would move its cursor, colour it or turn it around stands as `\\u001b`.

    Newlines and tabs stay.
    """
    return "".join(
        f"\\u{ord(character):04x}"
        if unicodedata.category(character) in _UNSEEN and character not in "\n\t"
        else character
        for character in text
    )
