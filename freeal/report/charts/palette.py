"""Colours and shapes that tell labels apart, also for the colour-blind and in print.

The colours are those of Okabe and Ito (Color Universal Design, 2008); page.css gives the classes `c0` to `c6` their
values. Labels beyond the seventh share the grey of `cx`.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from freeal.report.markup_elements import Value, element

COLOURS = 7
REST = "cx"

_PATHS = (
    None,  # a circle
    "m-{r},-{r}h{d}v{d}h-{d}z",
    "m0,-{d}l{d},{t}h-{e}z",
    "m0,-{d}l{d},{d}l-{d},{d}l-{d},-{d}z",
)


def colour(position: int | None) -> str:
    """The CSS class of the label at `position` in the order of `ranked`; grey for None."""
    return f"c{position}" if position is not None and position < COLOURS else REST


def ranked(totals: Sequence[int]) -> list[int]:
    """Label positions that get a colour of their own, the most frequent ones, in the labels' order; at most seven."""
    top = sorted(range(len(totals)), key=lambda position: (-totals[position], position))[:COLOURS]
    return sorted(top)


def label_marker(
    x: float, y: float, position: int | None, *, radius: float = 2.6, css: str = "", hover: str = ""
) -> Markup:
    """A point in a label's colour and shape."""
    classes = f"{colour(position)} {css}".strip()
    shape = _PATHS[position % len(_PATHS)] if position is not None else None
    title = [element("title", None, hover)] if hover else []
    if shape is None:
        return element("circle", {"cx": x, "cy": y, "r": radius, "class": classes}, *title)
    path = shape.format(r=f"{radius:.1f}", d=f"{radius * 1.3:.1f}", e=f"{radius * 2.6:.1f}", t=f"{radius * 2.3:.1f}")
    if shape.startswith("m-"):
        path = f"m-{radius:.1f},-{radius:.1f}h{radius * 2:.1f}v{radius * 2:.1f}h-{radius * 2:.1f}z"
    place: dict[str, Value] = {"d": f"M{x:.1f},{y:.1f}{path}", "class": classes}
    return element("path", place, *title)


def colour_key(entries: Sequence[tuple[int | None, str]]) -> Markup:
    """A legend in HTML, which wraps where an SVG would not: (position, name) pairs."""
    items = [
        element(
            "li",
            None,
            element(
                "svg",
                {"viewBox": "0 0 12 12", "class": "swatch", "aria-hidden": "true"},
                label_marker(6, 6, place, radius=4),
            ),
            element("bdi", None, name),
        )
        for place, name in entries
    ]
    return element("ul", {"class": "key"}, *items)
