"""What a cell looks like: a number, a date, an address, prose. Enough to tell a name from a value."""

from __future__ import annotations

import re
import statistics
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
_ASKS = re.compile(
    r"(?:what|why|how|when|where|which|who|do|does|did|are|is|have|would|please|tell|describe|any|was|were)\b",
    re.IGNORECASE,
)
_PROSE_WORDS = 5
_SOME_WORDS = 3
_ENDS = ".!?…"


def kind_of(value: str) -> Kind | None:
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
    kind, count = Counter(map(kind_of, values)).most_common(1)[0]
    return kind if count >= _MOST * len(values) else None


def is_prose_like(name: str, values: Sequence[str]) -> int:
    """Whether a column's name could be one of its texts: 2 for surely, 1 for maybe, 0 for no.

    It must be as long as they are, and end as they do. A question is a name above answers, in a survey.
    """
    words = len(name.split())
    lengths = sorted(map(len, values))
    low, high = lengths[len(lengths) // 20], lengths[-1 - len(lengths) // 20]
    if words < _SOME_WORDS or statistics.median(len(value.split()) for value in values) < _SOME_WORDS:
        return 0
    if not 0.8 * low <= len(name) <= 1.25 * high:
        return 0
    ends = sum(value[-1] in _ENDS for value in values) / len(values)
    if (name[-1] in _ENDS and ends < 0.2) or (name[-1] not in _ENDS and ends > 0.95):
        return 0
    asks = sum(_asks(value) for value in values) / len(values)
    if _asks(name) and asks < 0.3:
        return 0
    return 2 if words >= _PROSE_WORDS else 1


def _asks(text: str) -> bool:
    return text.endswith(("?", ":")) or _ASKS.match(text) is not None
