"""How far a share that was counted may lie from the true one."""

from __future__ import annotations

import math

Z_95 = 1.959964


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays within 0 to 1 and is honest for few; (0, 1) for none."""
    if of == 0:
        return 0.0, 1.0
    share = hits / of
    widening = Z_95**2 / of
    centre = share + widening / 2
    spread = Z_95 * math.sqrt(share * (1 - share) / of + widening / (4 * of))
    low, high = (centre - spread) / (1 + widening), (centre + spread) / (1 + widening)
    return max(0.0, low), min(1.0, high)
