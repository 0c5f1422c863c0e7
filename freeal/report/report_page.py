"""The report as one HTML file: nothing is fetched, nothing runs, and every text of a row is escaped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from freeal.report import certified_section, report_headline
from freeal.report.charts.bar_chart import shares_chart, spending_bar_chart
from freeal.report.charts.calibration_curves import coverage_chart, reliability_chart
from freeal.report.charts.confusion_matrix import confusion_chart
from freeal.report.charts.histogram import histogram_chart
from freeal.report.charts.rounds_chart import scores_chart
from freeal.report.charts.scatter_map import map_chart
from freeal.report.number_format import MISSING, percent, printable
from freeal.report.report_data import Histogram, ReportData, Table

_FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """A picture, its key and what it says; `table` has its numbers where no other table of the page has."""

    heading: str
    svg: Markup
    reading: str
    key: Markup | None = None
    table: Table | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    id: str
    heading: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    is_folded: bool = False
    """Whether it is opened by who wants it."""


def render_report_page(data: ReportData) -> str:
    """The page, in UTF-8 without control characters."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = Markup((_FOLDER / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - a file of ours
    page = environment.get_template("page.html.j2").render(
        data=data,
        sections=report_sections(data),
        css=css,
        certified=certified_section.certified_page_section(data.certified),
        headline=report_headline.headline_on_page(data.headline),
    )
    return printable(page)


def report_sections(data: ReportData) -> tuple[Section, ...]:
    """The page below its first screen, in order."""
    since = tuple(one for one in (data.moves, data.corrected, data.changes) if one)
    changes = (Section("changes", "Since the last version", tables=since),) if since else ()
    answers = (*([data.annotators] if data.annotators else []), data.statuses)
    answers += (data.unanswered,) if data.unanswered else ()
    return (
        Section(
            "rounds",
            "Rounds",
            (_scores_figure(data), _shares_figure(data)),
            tuple(filter(None, (data.rounds, data.students))),
        ),
        Section("classes", "Labels", _confusion_figures(data), (data.per_class,)),
        Section("confidence", "Confidence", _confidence_figures(data)),
        Section("review", "Rows to look at", tables=(*([data.wrong] if data.wrong else []), data.suspicious)),
        Section("texts", "Texts", (_map_figure(data),)),
        Section("answers", _whose_answers(data), _losses_figures(data), answers),
        Section("cost", "Cost", (_spending_figure(data),)),
        *changes,
        Section("demonstrations", "Demonstrations", tables=(data.demonstrations,), is_folded=True),
        Section("settings", "Settings and versions", tables=(data.settings, data.versions), is_folded=True),
    )


def _whose_answers(data: ReportData) -> str:
    return "Answers of the language models" if data.annotators else "Answers of the language model"


def _scores_figure(data: ReportData) -> Figure:
    names = [*(one.name for one in data.scores.lines), *(name for name, _ in data.scores.levels)]
    constants = tuple(percent(value) for _, value in data.scores.levels)
    rows = tuple(
        (str(number), *(percent(one.values[place]) for one in data.scores.lines), *constants)
        for place, number in enumerate(data.scores.rounds)
    )
    table = Table(f"{data.scores.measure} per round", ("round", *names), rows, frozenset(range(1, len(names) + 1)))
    reading = "Each round asks the language model again about the texts whose answers look wrong, then trains anew."
    return Figure(f"{data.scores.measure.capitalize()} per round", scores_chart(data.scores), reading, table=table)


def _shares_figure(data: ReportData) -> Figure:
    svg, key = shares_chart(data.shares)
    columns = ("label", *(who for who, _ in data.shares.bars))
    rows = tuple(
        (label, *(str(counts[place]) for _, counts in data.shares.bars))
        for place, label in enumerate(data.shares.labels)
    )
    table = Table("Labels given", columns, rows, frozenset(range(1, len(columns))))
    reading = (
        "Shares that drift from round to round show a label taking over. Rounds count distinct texts, the rest rows."
    )
    return Figure("Label shares", svg, reading, key, table)


def _confusion_figures(data: ReportData) -> tuple[Figure, ...]:
    figures = []
    for one in data.confusions:
        columns = (f"{one.down} \\ {one.across}", *one.labels)
        rows = tuple((label, *map(str, counts)) for label, counts in zip(one.labels, one.counts, strict=True))
        table = Table(f"{one.down} against {one.across}", columns, rows, frozenset(range(1, len(columns))))
        heading = f"{one.down.capitalize()} against {one.across}"
        reading = "Counted in rows; on the diagonal both say the same."
        if one.grouped:
            reading += (
                " Shown are the labels most often mistaken; the last row and column hold all others, whether right "
            )
            reading += "or not. All labels: confusion_*.csv."
        figures.append(Figure(heading, confusion_chart(one), reading, table=table))
    return tuple(figures)


def _confidence_figures(data: ReportData) -> tuple[Figure, ...]:
    histogram = _histogram_figure("Confidence of the final labels", data.confidence, "How many rows are how sure.")
    return (*([_reliability_figure(data)] if data.reliability else []), _coverage_figure(data), histogram)


def _reliability_figure(data: ReportData) -> Figure:
    rows = tuple(
        (percent(one.confidence), percent(one.right), f"{percent(one.low)} to {percent(one.high)}", str(one.rows))
        for one in data.reliability
    )
    columns = ("mean confidence", "right", "95 % interval", "rows")
    table = Table("Reliability", columns, rows, frozenset(range(4)))
    reading = "Below the dashed diagonal the labels are less often right than their confidence says."
    return Figure("Reliability", reliability_chart(data.reliability), reading, table=table)


def _coverage_figure(data: ReportData) -> Figure:
    svg, key = coverage_chart(data.coverage)
    rows = tuple((percent(share), percent(true), percent(expected)) for share, expected, true in data.coverage.points)
    table = Table("Coverage", ("surest share", "true accuracy", "expected"), rows, frozenset(range(3)))
    reading = "Set loop.abstain_below to leave the least sure rows without a label."
    return Figure("Accuracy against coverage", svg, reading, key, table)


def _map_figure(data: ReportData) -> Figure:
    svg, key = map_chart(data.text_map)
    reading = (
        f"{len(data.text_map.points):,} of {data.text_map.of:,} texts as the student sees them, in the two directions "
        f"that hold {percent(data.text_map.explained)} of the variance; the axes mean nothing by themselves. Large, "
        "ringed points are demonstrations. Rest the pointer on a point to read its text."
    )
    return Figure("Map of the texts", svg, reading, key)


def _losses_figures(data: ReportData) -> tuple[Figure, ...]:
    if data.losses is None:
        return ()
    reading = (
        "How hard each answer is to tell from the other texts. Clean ones are those whose probability of being right, "
        "with all voices weighed, is above the threshold; a hard one may be right, where the language model is good."
    )
    return (_histogram_figure("Loss of the answers, kept round", data.losses, reading),)


def _histogram_figure(heading: str, histogram: Histogram, reading: str) -> Figure:
    svg, key = histogram_chart(histogram)
    names = [name for name, _ in histogram.series]
    edges = zip(histogram.edges, histogram.edges[1:], strict=False)
    rows = tuple(
        (f"{low:.3g} to {high:.3g}", *(str(counts[place]) for _, counts in histogram.series))
        for place, (low, high) in enumerate(edges)
    )
    table = Table(f"{histogram.unit}s by {histogram.what}", (histogram.what, *names), rows, frozenset({1, 2, 3}))
    return Figure(heading, svg, reading, key, table)


def _spending_figure(data: ReportData) -> Figure:
    rows = tuple(
        (name, f"{given:,}", f"{out:,}", f"{usd:.6f}" if usd or data.spending.is_priced else MISSING)
        for name, given, out, usd in data.spending.bars
    )
    columns = ("round", "input tokens", "output tokens", "US dollars")
    table = Table("Tokens and dollars", columns, rows, frozenset({1, 2, 3}))
    reading = (
        "Upper bars: input tokens, lower bars: output tokens. Answers that were in the store already cost nothing and "
        "are not counted; a round that an earlier run of this job finished may stand outside of them."
    )
    return Figure("Tokens and dollars per round", spending_bar_chart(data.spending), reading, table=table)
