"""How long a server says to wait: in its headers, or in words."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping

_DURATION = r"\d+(?:\.\d+)?\s*(?:ms|milli|s|m|h)[a-z]*\s*"
_WAIT_WORDS = re.compile(rf"(?:try again|retry)(?: again)? (?:in|after) ((?:{_DURATION})+)", re.IGNORECASE)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h)", re.IGNORECASE)
_UNIT_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """The server's own word on how long to wait, from `retry-after-ms` or `retry-after` (seconds or a date).

    `now` is the Unix time; the result is never negative. None when there is no such header, or it makes no sense.
    """
    for name, unit_seconds in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit_seconds
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def told_in_words(message: str) -> float | None:
    """How long to wait, where only the words say so: "Please try again in 6m0s"."""
    found = _WAIT_WORDS.search(message)
    if found is None:
        return None
    parts = ((float(number), unit.lower()) for number, unit in _DURATION_PART.findall(found[1]))
    return sum(number * _UNIT_SECONDS[unit] for number, unit in parts)
