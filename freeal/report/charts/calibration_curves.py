"""Confidence against the truth, and what labelling only the surest rows would give."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from freeal.report.charts import axes, palette
from freeal.report.markup_elements import element, line, svg_picture, svg_text
from freeal.report.number_format import percent, plural
from freeal.report.report_data import Bin, Coverage


def reliability_chart(bins: Sequence[Bin]) -> Markup:
    """A point per bin of confidence with the 95 % interval of its accuracy; on the diagonal, confidence is honest."""
    frame = axes.Frame(52, 30, 352, 260)
    parts = axes.scale_y(frame, axes.percent_marks(0.0, 1.0), name="right")
    parts += axes.scale_x(frame, axes.percent_marks(0.0, 1.0), name="confidence")
    parts.append(line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), css="level"))
    path = " ".join(f"{frame.x(one.confidence):.1f},{frame.y(one.right):.1f}" for one in bins)
    parts.append(element("polyline", {"points": path, "class": "line c0"}))
    for one in bins:
        x = frame.x(one.confidence)
        hover = (
            f"confidence {percent(one.confidence)}: {percent(one.right)} right "
            f"({percent(one.low)} to {percent(one.high)}), {plural(one.rows, 'row')}"
        )
        parts.append(line(x, frame.y(one.low), x, frame.y(one.high), css="spread c0"))
        parts.append(palette.label_marker(x, frame.y(one.right), 0, radius=4.5, hover=hover))
    said = "; ".join(f"at {percent(one.confidence)} {percent(one.right)} right" for one in bins) + "."
    return svg_picture(axes.WIDTH, 335, *parts, title="Confidence against accuracy", description=said)


def coverage_chart(coverage: Coverage) -> tuple[Markup, Markup]:
    """Accuracy, true and expected, over the share that is labelled, with a line at the chosen one; and the key."""
    values = [value for point in coverage.points for value in point[1:] if value is not None]
    low = max(0.0, min([*values, 0.95]) - 0.05)
    frame = axes.Frame(52, 30, 352, 260, 0.0, 1.0, low, 1.0)
    parts = axes.scale_y(frame, axes.percent_marks(low, 1.0), name="accuracy")
    parts += axes.scale_x(frame, axes.percent_marks(0.0, 1.0), name="share of rows labelled")
    parts.append(line(frame.x(coverage.chosen), frame.top, frame.x(coverage.chosen), frame.bottom, css="mark"))
    chosen = f"chosen: from {percent(coverage.threshold)} on" if coverage.threshold else "chosen: all"
    side = "end" if coverage.chosen > 0.5 else "start"
    shift = -5 if side == "end" else 5
    parts.append(svg_text(frame.x(coverage.chosen) + shift, frame.bottom - 8, chosen, anchor=side, css="label"))
    true = [(share, value) for share, _, value in coverage.points if value is not None]
    expected = [(share, value) for share, value, _ in coverage.points]
    key: list[tuple[int | None, str]] = []
    for place, name, points in ((0, "true accuracy", true), (1, "expected by the confidence itself", expected)):
        if not points:
            continue
        key.append((place, name))
        path = " ".join(f"{frame.x(share):.1f},{frame.y(value):.1f}" for share, value in points)
        parts.append(element("polyline", {"points": path, "class": f"line c{place}"}))
        parts += [
            palette.label_marker(
                frame.x(share),
                frame.y(value),
                place,
                radius=3,
                hover=f"the surest {percent(share)}: {name} {percent(value)}",
            )
            for share, value in points
        ]
    said = _described(true or expected, "true accuracy" if true else "expected accuracy")
    svg = svg_picture(axes.WIDTH, 335, *parts, title="Accuracy against coverage", description=said)
    return svg, palette.colour_key(key)


def _described(points: list[tuple[float, float]], name: str) -> str:
    chosen = [point for point in points if round(point[0] * 20) in (5, 10, 15, 20)]
    return "; ".join(f"{name} of the surest {percent(share)}: {percent(value)}" for share, value in chosen) + "."
