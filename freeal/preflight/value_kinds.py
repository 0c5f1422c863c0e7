"""What a cell looks like: a number, a date, an address, an id. Enough to tell a name from a value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

Kind = Literal["number", "date", "address", "id"]

_NUMBER = re.compile(r"[-+]?[$€£]?\d[\d .,']*(?:e[-+]?\d+)?\s*[%$€£]?", re.IGNORECASE)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ,].{0,30})?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[T ,].{0,30})?"
    rf"|(?:(?:mon|tue|wed|thu|fri|sat|sun)\w*,?\s+)?(?:(?:{_MONTHS})\w*\.?\s+\d{{1,2}}|\d{{1,2}}\.?[\s-](?:{_MONTHS})\w*)"
    r"\b[\s,.:\d+A-Z-]*"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:https?|ftp)://\S+|www\.\S+|[^\s@,;]+@[^\s@,;]+\.[a-z]{2,}", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{24}|[0-9a-f]{32}|[0-9a-f]{40}", re.IGNORECASE)
_MOST = 0.95


def kind_of_value(value: str) -> Kind | None:
    """What a cell is; None for words."""
    value = value.strip()
    if len(value) > 200:
        return None
    for kind, form in _FORMS:
        if form.fullmatch(value):
            return kind
    return None


_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("date", _DATE),
    ("number", _NUMBER),
    ("id", _ID),
    ("address", _ADDRESS),
)


def most_common_kind(values: Sequence[str]) -> Kind | None:
    """The kind that nearly all of them are; None where they are words, or of several kinds."""
    kind, count = Counter(map(kind_of_value, values)).most_common(1)[0]
    return kind if count >= _MOST * len(values) else None
