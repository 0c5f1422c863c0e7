"""A duration for people."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`50 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes, hours, days = round(seconds / 60), int(seconds // 3600), int(seconds // 86_400)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {int(seconds % 3600 // 60)} min"
    return f"{days} d {hours % 24} h"
