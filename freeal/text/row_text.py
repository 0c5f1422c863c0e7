"""A row's columns as one text, in the form every model of a job sees."""

from __future__ import annotations

from collections.abc import Sequence


def row_text(columns: Sequence[str], values: Sequence[str]) -> str:
    """`column1: value1, column2: value2`, empty values left out; one column alone is its bare value."""
    if len(columns) == 1:
        return values[0].strip()
    return ", ".join(
        f"{column}: {value.strip()}" for column, value in zip(columns, values, strict=True) if value.strip()
    )
