"""The frame of a diagram: where a value lies, the lines to read it by, and their numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from markupsafe import Markup

from freeal.report.markup_elements import line, svg_text

WIDTH = 420.0
"""Of every diagram, in the units in which a letter of text is 12 high: readable on a phone, and beside another."""


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """A diagram's area in pixels, and the values at its edges."""

    left: float
    top: float
    width: float
    height: float
    low_x: float = 0.0
    high_x: float = 1.0
    low_y: float = 0.0
    high_y: float = 1.0

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    def x(self, value: float) -> float:
        """Where a value lies across."""
        return self.left + self.width * (value - self.low_x) / ((self.high_x - self.low_x) or 1.0)

    def y(self, value: float) -> float:
        """Where a value lies in height; high values are at the top."""
        return self.bottom - self.height * (value - self.low_y) / ((self.high_y - self.low_y) or 1.0)


def axis_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about so many, evenly spaced."""
    if high <= low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def scale_y(frame: Frame, marks: Sequence[tuple[float, str]], *, name: str) -> list[Markup]:
    """Lines across at (value, wording) marks, and what the values are, above the frame."""
    parts = [svg_text(frame.left, frame.top - 10, name, css="axis")]
    for value, wording in marks:
        parts.append(line(frame.left, frame.y(value), frame.right, frame.y(value), css="grid"))
        parts.append(svg_text(frame.left - 6, frame.y(value) + 4, wording, anchor="end", css="tick"))
    return parts


def scale_x(frame: Frame, marks: Sequence[tuple[float, str]], *, name: str) -> list[Markup]:
    """Numbers below the frame at (value, wording) marks, and what the values are."""
    parts = [line(frame.left, frame.bottom, frame.right, frame.bottom, css="edge")]
    for value, wording in marks:
        parts.append(line(frame.x(value), frame.bottom, frame.x(value), frame.bottom + 4, css="edge"))
        parts.append(svg_text(frame.x(value), frame.bottom + 17, wording, anchor="middle", css="tick"))
    parts.append(svg_text(frame.right, frame.bottom + 34, name, anchor="end", css="axis"))
    return parts


def percent_marks(low: float, high: float, *, about: int = 5) -> list[tuple[float, str]]:
    """Marks for shares."""
    return [(value, f"{value * 100:.3g} %") for value in axis_ticks(low, high, about=about)]


def spread_out(heights: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """The same heights, moved as little as needed so that any two are `gap` apart, within `low` to `high` where there
    is room. In the order given."""
    order = sorted(range(len(heights)), key=lambda position: (heights[position], position))
    placed = list(heights)
    for before, position in zip([None, *order], order, strict=False):
        floor = low if before is None else placed[before] + gap
        placed[position] = max(placed[position], floor)
    ceiling = high
    for position in reversed(order):
        placed[position] = min(placed[position], ceiling)
        ceiling = placed[position] - gap
    return placed
