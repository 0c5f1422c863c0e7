"""Who said what: a table of counts, darker where there are more of the row's."""

from __future__ import annotations

from urllib.parse import urlencode

from markupsafe import Markup

from freeal.report.charts import axes
from freeal.report.markup_elements import Value, element, svg_picture, svg_text
from freeal.report.number_format import count, middle_out, percent
from freeal.report.report_data import Confusion

_NAME_LENGTH = 15
_NAME_WIDTH = 112.0
_SHADES = 5
_FIELDS = {"truth": "truth", "final label": "label", "language model": "llm", "student": "student"}
"""Who said it, and what the live page calls that (daemon/web/review/rows_page.py)."""
_LEAST_CELL = 24.0
_UPRIGHT = 4
"""Up to so many labels have room for their names side by side."""


def confusion_chart(confusion: Confusion) -> Markup:
    """A square per pair of labels, shaded by its share of its row, with the count in it; the diagonal is agreement."""
    size = len(confusion.labels)
    right = 64.0 if size > _UPRIGHT else 4.0  # turned names lean out of the frame
    cell = max(_LEAST_CELL, min(90.0, (axes.WIDTH - _NAME_WIDTH - right) / size))
    width = max(axes.WIDTH, _NAME_WIDTH + cell * size + right)
    head = 42.0 if cell >= 60.0 else _NAME_WIDTH
    parts = [
        svg_text(_NAME_WIDTH, 14, f"{confusion.across} →", css="axis"),
        svg_text(0, head - 6 if cell >= 60.0 else 14, f"{confusion.down} ↓", css="axis"),
    ]
    for number, label in enumerate(confusion.labels):
        middle = _NAME_WIDTH + cell * (number + 0.5)
        parts.append(_confusion_column_name(label, middle, head, upright=cell >= 60.0))
        height = head + cell * (number + 0.5) + 4
        parts.append(svg_text(_NAME_WIDTH - 6, height, middle_out(label, _NAME_LENGTH), anchor="end", css="tick"))
    for i, row in enumerate(confusion.counts):
        for j, number in enumerate(row):
            place = (_NAME_WIDTH + cell * j, head + cell * i, cell)
            parts.append(_confusion_cell(confusion, (i, j), number, of=sum(row), place=place))
    said = _confusion_in_words(confusion)
    title = f"{confusion.down} against {confusion.across}"
    return svg_picture(width, head + cell * size + 4, *parts, title=title, description=said)


def _confusion_column_name(label: str, middle: float, head: float, *, upright: bool) -> Markup:
    if upright:
        return svg_text(middle, head - 8, middle_out(label, 12), anchor="middle", css="tick")
    turned: dict[str, Value] = {
        "transform": f"translate({middle + 4:.1f} {head - 6:.1f}) rotate(-60)",
        "class": "tick",
    }
    return element("text", turned, middle_out(label, 14))


def _confusion_cell(
    confusion: Confusion, pair: tuple[int, int], number: int, *, of: int, place: tuple[float, float, float]
) -> Markup:
    i, j = pair
    left, top, cell = place
    share = number / of if of else 0.0
    shade = 0 if not number else 1 + min(_SHADES - 1, int(share * _SHADES))
    kind = "hit" if i == j else "miss"
    down, across = confusion.labels[i], confusion.labels[j]
    hover = f"{confusion.down}: {down}, {confusion.across}: {across}: {count(number)} ({percent(share)} of its row)"
    square: dict[str, Value] = {
        "x": left + 0.5,
        "y": top + 0.5,
        "width": cell - 1,
        "height": cell - 1,
        "class": f"{kind}{shade}",
    }
    parts = [element("rect", square, element("title", None, hover))]
    if number or cell >= 60.0:
        css = f"count{' small' if cell < 36.0 else ''}"
        wording = count(number) if cell >= 36.0 or number < 1000 else f"{number / 1000:.0f}k"
        parts.append(svg_text(left + cell / 2, top + cell / 2 + 4, wording, anchor="middle", css=css))
    return element("g", _query_of_confusion_cell(confusion, pair) if number else None, *parts)


def _query_of_confusion_cell(confusion: Confusion, pair: tuple[int, int]) -> dict[str, Value] | None:
    """Which rows a cell counts, as a query of the live page, which makes a link of it; None for a group of labels."""
    if confusion.grouped and len(confusion.labels) - 1 in pair:
        return None
    wanted = {_FIELDS[confusion.down]: confusion.labels[pair[0]], _FIELDS[confusion.across]: confusion.labels[pair[1]]}
    return {"data-rows": urlencode(wanted)}


def _confusion_in_words(confusion: Confusion) -> str:
    total = sum(map(sum, confusion.counts))
    pairs = [
        (number, confusion.labels[i], confusion.labels[j])
        for i, row in enumerate(confusion.counts)
        for j, number in enumerate(row)
        if i != j and number and not (confusion.grouped and len(confusion.labels) - 1 in (i, j))
    ]
    said = f"The same label on {percent(confusion.agreed / total if total else None)} of {count(total)} rows."
    for number, down, across in sorted(pairs, reverse=True)[:3]:
        said += f" {count(number)} times {confusion.down} says {down} where {confusion.across} says {across}."
    return said
