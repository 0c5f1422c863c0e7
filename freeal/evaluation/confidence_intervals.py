"""How far a share that was counted may lie from the true one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Z_95 = 1.959964


def wilson(hits: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays within 0 to 1 and is honest for few; (0, 1) for none.

    `of` need not be whole: see `independent_observations`.
    """
    if of == 0:
        return 0.0, 1.0
    share = hits / of
    widening = Z_95**2 / of
    centre = share + widening / 2
    spread = Z_95 * math.sqrt(share * (1 - share) / of + widening / (4 * of))
    low, high = (centre - spread) / (1 + widening), (centre + spread) / (1 + widening)
    return max(0.0, low), min(1.0, high)


def independent_observations(kinds: Iterable[Hashable]) -> float:
    """How many independent observations these are worth, of which those of one kind say the same (Kish 1965).

    Ten rows with one text are one observation of how good the labels are, not ten. All different: their number.
    """
    sizes = Counter(kinds).values()
    return sum(sizes) ** 2 / sum(size**2 for size in sizes) if sizes else 0.0


def of_rows(right: np.ndarray, kinds: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the share of `right`, bool [rows]; rows of one of `kinds`, int [rows], say the same."""
    size = independent_observations(kinds.tolist())
    return wilson(float(right.mean()) * size, size) if size else (0.0, 1.0)


def spelled(share: float, interval: tuple[float, float], *, rows: int, of: int) -> str:
    """An accuracy as it is printed everywhere: `81.2 % (77.0-84.9) on 300 of 5,000 rows`."""
    low, high = interval
    return f"{share * 100:.1f} % ({low * 100:.1f}-{high * 100:.1f}) on {rows:,} of {of:,} rows"


def clopper_pearson(right: float, of: float, *, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share; counts need not be whole."""
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    tail = (1.0 - level) / 2
    low = 0.0 if right <= 0 else float(betaincinv(right, of - right + 1, tail))
    high = 1.0 if right >= of else float(betaincinv(right + 1, of - right, 1 - tail))
    return low, high
