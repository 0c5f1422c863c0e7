"""How often values of which size are, cut by what they belong to."""

from __future__ import annotations

from markupsafe import Markup

from freeal.report.charts import axes, palette
from freeal.report.markup_elements import box, line, svg_picture, svg_text
from freeal.report.number_format import count, plural
from freeal.report.report_data import Histogram


def histogram_chart(histogram: Histogram) -> tuple[Markup, Markup]:
    """Stacked bars with a dashed line at the mark, and their key."""
    bins = len(histogram.edges) - 1
    heights = [sum(counts[number] for _, counts in histogram.series) for number in range(bins)]
    frame = axes.Frame(48, 30, 358, 190, histogram.edges[0], histogram.edges[-1], 0, max([*heights, 1]))
    marks = [(value, count(value)) for value in axes.axis_ticks(0, frame.high_y) if value == int(value)]
    parts = axes.scale_y(frame, marks, name=f"{histogram.unit}s")
    across = [(value, f"{value:.3g}") for value in axes.axis_ticks(frame.low_x, frame.high_x, about=6)]
    parts += axes.scale_x(frame, across, name=histogram.what)
    for number in range(bins):
        left, right = frame.x(histogram.edges[number]), frame.x(histogram.edges[number + 1])
        under = 0
        for place, (name, counts) in enumerate(histogram.series):
            if not counts[number]:
                continue
            top, bottom = frame.y(under + counts[number]), frame.y(under)
            between = f"{histogram.edges[number]:.3g} to {histogram.edges[number + 1]:.3g}"
            hover = f"{histogram.what} {between}: {plural(counts[number], histogram.unit)}, {name}"
            parts.append(box(left + 0.5, top, right - left - 1, bottom - top, css=palette.colour(place), hover=hover))
            under += counts[number]
    if histogram.mark is not None:
        x = frame.x(histogram.mark)
        parts.append(line(x, frame.top, x, frame.bottom, css="mark"))
        far_right = x > frame.left + frame.width / 2
        anchor, shift = ("end", -5) if far_right else ("start", 5)
        parts.append(svg_text(x + shift, frame.top + 10, histogram.mark_name, anchor=anchor, css="label"))
    said = "; ".join(f"{name}: {plural(sum(counts), histogram.unit)}" for name, counts in histogram.series) + "."
    svg = svg_picture(axes.WIDTH, 265, *parts, title=f"Histogram: {histogram.what}", description=said)
    return svg, palette.colour_key([(place, name) for place, (name, _) in enumerate(histogram.series)])
