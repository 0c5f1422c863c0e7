"""Accuracy or agreement over the rounds, beside what was there before them."""

from __future__ import annotations

from markupsafe import Markup

from freeal.report.charts import axes, palette
from freeal.report.markup_elements import element, line, svg_picture, svg_text
from freeal.report.number_format import percent, short
from freeal.report.report_data import Scores

_GAP = 15.0


def scores_chart(scores: Scores) -> Markup:
    """A line per quantity, each named and valued at its right end; constants are dashed."""
    shown = [one for one in scores.lines if any(value is not None for value in one.values)]
    known = [value for one in shown for value in one.values if value is not None]
    known += [value for _, value in scores.levels]
    low, high = _range(known)
    first = scores.rounds[0] if len(scores.rounds) > 1 else scores.rounds[0] - 1  # a single one stands at the right
    frame = axes.Frame(46, 30, 196, 230, first, scores.rounds[-1], low, high)
    parts = axes.scale_y(frame, axes.percent_marks(low, high, about=8), name=scores.measure)
    parts += axes.scale_x(frame, [(number, str(number)) for number in scores.rounds], name="round")
    ends: list[tuple[float, float, str, int]] = []
    for position, (name, value) in enumerate(scores.levels, start=len(shown)):
        parts.append(line(frame.left, frame.y(value), frame.right, frame.y(value), css=f"level c{position % 7}"))
        ends.append((frame.right, frame.y(value), f"{name} {percent(value)}", position))
    for position, one in enumerate(shown):
        points = [
            (frame.x(number), frame.y(value), f"{one.name}, round {number}: {percent(value)}")
            for number, value in zip(scores.rounds, one.values, strict=True)
            if value is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        parts.append(element("polyline", {"points": path, "class": f"line c{position}"}))
        parts += [palette.label_marker(x, y, position, radius=4.5, hover=hover) for x, y, hover in points]
        final = next(value for value in reversed(one.values) if value is not None)
        ends.append((points[-1][0], points[-1][1], f"{one.name} {percent(final)}", position))
    parts += _names_at_line_ends(ends, frame)
    return svg_picture(axes.WIDTH, 305, *parts, title=f"{scores.measure} per round", description=described(scores))


def _names_at_line_ends(ends: list[tuple[float, float, str, int]], frame: axes.Frame) -> list[Markup]:
    heights = axes.spread_out([end[1] for end in ends], gap=_GAP, low=frame.top, high=frame.bottom)
    parts = []
    for (x, y, wording, position), height in zip(ends, heights, strict=True):
        parts.append(line(x + 4, y, frame.right + 12, height, css=f"leader c{position % 7}"))
        parts.append(svg_text(frame.right + 16, height + 4, short(wording, 24), css="label"))
    return parts


def described(scores: Scores) -> str:
    """The picture in a sentence."""
    said = [f"{name}: {percent(value)}" for name, value in scores.levels]
    said += [f"{one.name}: {', '.join(percent(value) for value in one.values)}" for one in scores.lines]
    return "; ".join(said) + "."


def _range(values: list[float]) -> tuple[float, float]:
    """A range around the values, so that differences can be seen."""
    low, high = min(values), max(values)
    room = max(0.03, (high - low) * 0.15)
    return max(0.0, low - room), min(1.0, high + room)
