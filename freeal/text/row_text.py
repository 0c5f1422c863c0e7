"""A row's columns as one text, in the form every model of a job sees."""

from __future__ import annotations

from collections.abc import Sequence

from freeal.text.blank_text import trimmed


def row_text(columns: Sequence[str], values: Sequence[str]) -> str:
    """`column1: value1, column2: value2`, without values in which there is nothing to see; one column alone is bare."""
    if len(columns) == 1:
        return trimmed(values[0])
    return ", ".join(
        f"{column}: {shown}" for column, value in zip(columns, values, strict=True) if (shown := trimmed(value))
    )
