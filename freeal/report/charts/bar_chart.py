"""Bars: who gave which label how often, and what each round used."""

from __future__ import annotations

from markupsafe import Markup

from freeal.report.charts import axes, palette
from freeal.report.markup_elements import box, svg_picture, svg_text
from freeal.report.number_format import count, dollars, percent, short
from freeal.report.report_data import Shares, Spending

_BAR = 22.0
_STEP = 32.0


def shares_chart(shares: Shares) -> tuple[Markup, Markup]:
    """A bar of full length per (who, counts), cut by label, and its key. Labels beyond the seven most frequent ones are
    one grey part."""
    totals = [sum(counts[position] for _, counts in shares.bars) for position in range(len(shares.labels))]
    named = palette.ranked(totals)
    frame = axes.Frame(112, 12, 286, _STEP * len(shares.bars))
    parts = axes.scale_x(frame, axes.percent_marks(0.0, 1.0, about=4), name="share of the labels given")
    for number, (who, counts) in enumerate(shares.bars):
        top = frame.top + _STEP * number
        parts.append(svg_text(frame.left - 8, top + 16, short(who, 17), anchor="end", css="label"))
        parts += _bar_of_shares(shares, counts, named, frame, top)
    entries: list[tuple[int | None, str]] = [(place, shares.labels[label]) for place, label in enumerate(named)]
    if rest := len(shares.labels) - len(named):
        entries.append((None, f"{rest} other labels"))
    description = "; ".join(f"{who}: {_spoken(shares.labels, counts, named)}" for who, counts in shares.bars) + "."
    svg = svg_picture(axes.WIDTH, frame.bottom + 42, *parts, title="Label shares", description=description)
    return svg, palette.colour_key(entries)


def _bar_of_shares(
    shares: Shares, counts: tuple[int, ...], named: list[int], frame: axes.Frame, top: float
) -> list[Markup]:
    """One bar of a bar chart of label shares, a piece for each label."""
    total = sum(counts) or 1
    pieces: list[tuple[str, str, int]] = [
        (shares.labels[label], palette.colour(place), counts[label]) for place, label in enumerate(named)
    ]
    pieces.append(("other labels", palette.REST, sum(counts) - sum(counts[label] for label in named)))
    parts, left = [], frame.left
    for name, css, number in pieces:
        width = frame.width * number / total
        if number:
            hover = f"{name}: {count(number)} ({percent(number / total)})"
            parts.append(box(left, top, width, _BAR, css=f"{css} cut", hover=hover))
        left += width
    return parts


def _spoken(labels: tuple[str, ...], counts: tuple[int, ...], named: list[int]) -> str:
    total = sum(counts) or 1
    return ", ".join(f"{labels[label]} {percent(counts[label] / total)}" for label in named)


def spending_bar_chart(spending: Spending) -> Markup:
    """Bar chart of the tokens per round, input and output, one below the other, with the dollars in words at their
    ends."""
    most = max((max(given, out) for _, given, out, _ in spending.bars), default=0) or 1
    frame = axes.Frame(112, 12, 224, 40.0 * len(spending.bars), 0, most)
    marks = [(value, _thousands(value)) for value in axes.axis_ticks(0, most, about=4)]
    parts = axes.scale_x(frame, marks, name="tokens")
    said = []
    for number, (name, given, out, usd) in enumerate(spending.bars):
        paid = dollars(usd, is_priced=spending.is_priced)
        said.append(f"{name}: {count(given)} input and {count(out)} output tokens, {paid}")
        top = frame.top + 40.0 * number
        parts.append(svg_text(frame.left - 8, top + 20, short(name, 17), anchor="end", css="label"))
        hover = f"{name}: {count(given)} input tokens, {count(out)} output tokens, {paid}"
        parts.append(box(frame.left, top + 2, frame.x(given) - frame.left, 14, css="c0", hover=hover))
        parts.append(box(frame.left, top + 18, frame.x(out) - frame.left, 10, css="c1", hover=hover))
        parts.append(svg_text(max(frame.x(given), frame.x(out)) + 6, top + 20, paid, css="label"))
    return svg_picture(
        axes.WIDTH, frame.bottom + 42, *parts, title="Tokens and dollars per round", description=f"{'; '.join(said)}."
    )


def _thousands(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
