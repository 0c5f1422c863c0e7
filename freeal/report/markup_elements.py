"""Elements of SVG and HTML, escaped where they are made: what is no element of ours is text."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

Value = str | float | int


def element(tag: str, attributes: Mapping[str, Value] | None = None, *children: str) -> Markup:
    """An element. Children that are `Markup` stand as they are, any other string is escaped; so are all values.

    Floats are written with at most one decimal: a picture's units are pixels.
    """
    given = "".join(f' {name}="{escape(_written(value))}"' for name, value in (attributes or {}).items())
    inner = "".join(str(escape(child)) for child in children)
    return Markup(f"<{tag}{given}>{inner}</{tag}>")  # noqa: S704 - every part of it is escaped above


def svg_picture(width: float, height: float, *children: str, title: str, description: str) -> Markup:
    """A whole SVG of `width` by `height` units, drawn as wide as what it stands in. A screen reader gets title and
    description instead of it."""
    box = {
        "viewBox": f"0 0 {_written(width)} {_written(height)}",
        "role": "img",
        "aria-label": f"{title}. {description}",
    }
    return element("svg", box, *children)


def svg_text(x: float, y: float, content: str, *, anchor: str = "start", css: str = "") -> Markup:
    """A line of text whose baseline is at `y`; `anchor` is `start`, `middle` or `end`."""
    place: dict[str, Value] = {"x": x, "y": y}
    if anchor != "start":
        place["text-anchor"] = anchor
    if css:
        place["class"] = css
    return element("text", place, content)


def line(x1: float, y1: float, x2: float, y2: float, *, css: str) -> Markup:
    """A straight line."""
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": css})


def box(x: float, y: float, width: float, height: float, *, css: str, hover: str = "") -> Markup:
    """A filled rectangle, with what is shown when the pointer rests on it."""
    place: dict[str, Value] = {"x": x, "y": y, "width": max(0.0, width), "height": max(0.0, height), "class": css}
    return element("rect", place, *([element("title", None, hover)] if hover else []))


def _written(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)
