"""Pictures of the live page: those of the report, from what metrics.json and the journal hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from freeal.report.charts import palette
from freeal.report.charts.bar_chart import shares_chart
from freeal.report.charts.histogram import histogram_chart
from freeal.report.charts.rounds_chart import scores_chart
from freeal.report.markup_elements import box, element
from freeal.report.number_format import count, percent
from freeal.report.report_data import Histogram, Line, Scores, Shares

_KNOWN = (("language model", "llm_accuracy"), ("student", "student_accuracy"))
NOTHING = Markup("")


def rounds_picture(rounds: Sequence[Mapping[str, Any]]) -> Markup:
    """Accuracy per round where truth is known, else agreement; nothing for fewer than two rounds."""
    if len(rounds) < 2:
        return NOTHING
    numbers = tuple(int(one["round"]) for one in rounds)
    measured = any("student_accuracy" in one for one in rounds)
    named = _KNOWN if measured else (("both models agree", "agreement"),)
    lines = tuple(Line(name, tuple(one.get(key) for one in rounds)) for name, key in named)
    return scores_chart(Scores("accuracy" if measured else "agreement", numbers, lines))


def shares_picture(labels: Sequence[tuple[str, str, int]]) -> Markup:
    """How many rows each label got."""
    counts = tuple(rows for _, _, rows in labels)
    svg, key = shares_chart(Shares(tuple(name for name, _, _ in labels), (("rows", counts),)))
    return svg + key


def confidence_picture(counts: Sequence[int]) -> Markup:
    """How many rows are how sure; nothing where nobody counted."""
    if not counts:
        return NOTHING
    edges = tuple(number / len(counts) for number in range(len(counts) + 1))
    svg, _ = histogram_chart(Histogram("confidence", "row", edges, (("labelled", tuple(counts)),)))
    return svg


def share_bar(labels: Sequence[tuple[str, str, int]]) -> Markup:
    """A thin bar cut by label, for a card."""
    total = sum(rows for _, _, rows in labels)
    if not total:
        return NOTHING
    named = palette.ranked([rows for _, _, rows in labels])
    place = {label: position for position, label in enumerate(named)}
    parts, left = [], 0.0
    for position, (name, _, rows) in enumerate(labels):
        width = 400.0 * rows / total
        hover = f"{name}: {count(rows)} ({percent(rows / total)})"
        parts.append(box(left, 0, width, 10, css=f"{palette.colour(place.get(position))} cut", hover=hover))
        left += width
    said = ", ".join(f"{name} {percent(rows / total)}" for name, _, rows in labels[:20])
    shape = {"viewBox": "0 0 400 10", "preserveAspectRatio": "none", "class": "sharebar", "role": "img"}
    return element("svg", shape | {"aria-label": f"Label shares: {said}"}, *parts)
