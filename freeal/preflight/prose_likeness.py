"""Whether a column's name reads like one of its texts: then the table may have no header."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

_ASKS = re.compile(
    r"(?:what|why|how|when|where|which|who|do|does|did|are|is|have|would|please|tell|describe|any|was|were)\b",
    re.IGNORECASE,
)
_PROSE_WORDS = 5
_SOME_WORDS = 3
_ENDS = ".!?…"


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
