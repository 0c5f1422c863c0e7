"""Numbers in a server's bill: what makes no sense counts as nothing."""

from __future__ import annotations

_MOST = 1_000_000_000


def token_count(told: object) -> int:
    """A count of tokens, 0 to a thousand million."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return 0
    try:
        number = float(told)
    except (ValueError, OverflowError):
        return 0
    return int(number) if 0 <= number <= _MOST else 0
