"""The texts as a map: what the student sees as alike lies together."""

from __future__ import annotations

from markupsafe import Markup

from freeal.report.charts import axes, palette
from freeal.report.markup_elements import box, svg_picture
from freeal.report.number_format import percent, plural
from freeal.report.report_data import Point, TextMap


def map_chart(text_map: TextMap) -> tuple[Markup, Markup]:
    """A point per text in its label's colour and shape, demonstrations large and ringed, on top; and the key."""
    points = text_map.points
    totals = [sum(point.label == label for point in points) for label in range(len(text_map.labels))]
    named = palette.ranked(totals)
    place = {label: position for position, label in enumerate(named)}
    across, up = [point.x for point in points] or [0.0], [point.y for point in points] or [0.0]
    frame = axes.Frame(12, 12, 396, 316, min(across), max(across), min(up), max(up))
    parts = [box(0.5, 0.5, 419, 339, css="sheet")]
    ordered = sorted(points, key=lambda point: point.demonstration)
    parts += [_map_point(point, frame, place, text_map.labels) for point in ordered]
    entries: list[tuple[int | None, str]] = [(position, text_map.labels[label]) for label, position in place.items()]
    if len(named) < len(text_map.labels) or any(point.label is None for point in points):
        entries.append((None, "another label, or none"))
    shown = sum(point.demonstration for point in points)
    said = (
        f"{plural(len(points), 'text')} of {text_map.of} by the two directions in which the student's embeddings "
        f"differ most ({percent(text_map.explained)} of the variance); {plural(shown, 'demonstration')} marked."
    )
    svg = svg_picture(axes.WIDTH, 340, *parts, title="Map of the texts", description=said)
    return svg, palette.colour_key(entries)


def _map_point(point: Point, frame: axes.Frame, place: dict[int, int], labels: tuple[str, ...]) -> Markup:
    label = "no label" if point.label is None else labels[point.label]
    mark = "demonstration, " if point.demonstration else ""
    return palette.label_marker(
        frame.x(point.x),
        frame.y(point.y),
        None if point.label is None else place.get(point.label),
        radius=4.5 if point.demonstration else 2.0,
        css="ringed" if point.demonstration else "dot",
        hover=f"{mark}{label}: {point.text}",
    )
