"""Whether the cells of a column hold several values each, as in `billing;refund`. A guess to start from, for people."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

from freeal.text import joined_labels

LONGEST_VALUE = 40
MOST_WORDS = 2.5
"""On average: what has more words is text, and its commas are commas."""
_NUMBERS = re.compile(r"[\d\s.,:/+\-]+")
_NUMBER_SIGNS = (",", "/", "+")
"""What stands within numbers and dates as well."""


@dataclasses.dataclass(frozen=True, slots=True)
class Joined:
    """The sign between the values of a cell, and the values, the most frequent first."""

    separator: str
    values: tuple[str, ...]


class JoinedValues:
    """Hears the cells of one column, and keeps their parts for each sign that may stand between them as long as there
    are at most `most` different ones."""

    def __init__(self, most: int) -> None:
        self._parts = {sign: _Parts(sign, most) for sign in joined_labels.SIGNS}

    def take(self, cell: str) -> None:
        """One cell, trimmed; an empty one says nothing."""
        if not cell:
            return
        for sign, parts in list(self._parts.items()):
            if not parts.take(cell):
                del self._parts[sign]

    def found(self) -> Joined | None:
        """The values, where cells hold several: they recur, and in other company. None where there is no such sign."""
        return next((found for parts in self._parts.values() if (found := parts.found())), None)


class _Parts:
    def __init__(self, sign: str, most: int) -> None:
        self._sign, self._most = sign, most
        self._counts: Counter[str] = Counter()
        self._company: dict[str, set[tuple[str, ...]]] = {}
        self._joint = 0

    def take(self, cell: str) -> bool:
        """Whether there may still be values apart from each other."""
        if self._sign not in cell and len(cell) > LONGEST_VALUE:
            return False
        parts = tuple(sorted(set(joined_labels.split(cell, self._sign))))
        if any(len(part) > LONGEST_VALUE for part in parts):
            return False
        self._joint += len(parts) > 1
        self._counts.update(parts)
        for part in parts:
            company = self._company.setdefault(part, set())
            if len(company) < 2:
                company.add(parts)
        return len(self._counts) <= self._most

    def found(self) -> Joined | None:
        different = len(self._counts)
        if self._joint < 2 or different < 2 or self._counts.total() < 2 * different:
            return None
        if 2 * sum(len(company) > 1 for company in self._company.values()) <= different:
            return None  # `food/drink` and `bar/pub` are names
        if sum(len(part.split()) for part in self._counts) / different >= MOST_WORDS:
            return None
        if self._sign in _NUMBER_SIGNS and all(_NUMBERS.fullmatch(part) for part in self._counts):
            return None
        return Joined(self._sign, tuple(sorted(self._counts, key=lambda part: (-self._counts[part], part))))
