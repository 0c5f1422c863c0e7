"""Time as an argument: what every part that needs the hour is given."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """`wall()` is seconds since 1970 in UTC, for records; `steady()` never jumps, for waiting."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


def stamp(seconds: float) -> str:
    """`20261122-140509` (UTC), for ids: sorts by time, needs no quoting anywhere."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y%m%d-%H%M%S")


def iso(seconds: float) -> str:
    """`2026-11-22T14:05:09Z`, for people and logs."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(seconds: float) -> str:
    """The UTC day a spend is booked on."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d")


def next_day(seconds: float) -> float:
    """The moment the next UTC day begins."""
    return (seconds // 86_400 + 1) * 86_400
