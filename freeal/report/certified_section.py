"""What a blind sheet says, for the report and the model card; both can be given it after they were written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from freeal.report.markup_elements import element
from freeal.report.number_format import MISSING, count, percent, plural
from freeal.report.report_data import Facts, Table
from freeal.results import metrics_as_text

BEGIN, END = "<!-- certified:begin -->", "<!-- certified:end -->"
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
_BEFORE_ON_PAGE = '<nav aria-label="Sections">'
_BEFORE_ON_CARD = "## Known weak labels"

Certified = Mapping[str, Any] | None
"""The `certified` part of metrics.json; None where nothing was measured."""


def certified_page_section(certified: Certified) -> Markup:
    """The report's section between its two marks; only the marks where nothing was measured."""
    inner = Markup("")
    if certified is not None:
        heading = element("h2", {"id": "certified-heading"}, "Certified accuracy")
        parts = [
            heading,
            _certified_facts_list(facts(certified)),
            element("p", {"class": "note"}, how_certified(certified)),
        ]
        parts += [_certified_table_html(one) for one in certified_tables(certified)]
        inner = element("section", {"id": "certified", "aria-labelledby": "certified-heading"}, *parts)
    return Markup(f"{BEGIN}{inner}{END}")  # noqa: S704 - both are made here, of escaped parts


def put_into_page(page: str, certified: Certified) -> str:
    """A finished report with the section in place of the one it has."""
    return _put(page, str(certified_page_section(certified)), before=_BEFORE_ON_PAGE)


def certified_card_section(certified: Certified) -> str:
    """The model card's section, Markdown, between its marks."""
    inner = ""
    if certified is not None:
        lines = [f"- {what}: {value}" for what, value in facts(certified)]
        inner = "\n".join(["## Certified accuracy", "", *lines, "", how_certified(certified), ""])
    return f"{BEGIN}\n{inner}{END}"


def put_into_card(card: str, certified: Certified) -> str:
    """A finished model card with the section in place of the one it has."""
    return _put(card, certified_card_section(certified), before=_BEFORE_ON_CARD)


def _put(content: str, block: str, *, before: str) -> str:
    if _BLOCK.search(content):
        return _BLOCK.sub(lambda _: block, content, count=1)
    head, found, rest = content.partition(before)  # written before there was such a section
    return f"{head}{block}\n\n{found}{rest}" if found else f"{content}\n{block}\n"


def facts(certified: Mapping[str, Any]) -> Facts:
    """The figures in words."""
    return tuple(metrics_as_text.certified_in_words(certified))


def how_certified(certified: Mapping[str, Any]) -> str:
    """How it was drawn, and how to read it."""
    if "withdrawn" in certified:
        return "Draw a new sheet to measure this version: python -m freeal certify."
    drawn = certified["drawn"]
    left_out = sum(certified["left_out"].values())
    return (
        f"A person labelled {plural(certified['texts'], 'text')} without seeing what the models said "
        f"({certified['day']}). {plural(drawn['rows'], 'row')} were drawn by chance (seed {drawn['seed']}) within "
        f"four strata of agreement and confidence, {percent(drawn['by_chance'])} of them shared out by size; "
        "near duplicates were shown once. "
        f"The figures are about the {count(certified['rows'])} rows that a model labelled"
        + (f"; {plural(left_out, 'other row')} are not counted. " if left_out else ". ")
        + "The intervals hold in 95 of 100 such draws. The student learned from "
        + (
            f"{count(certified['learned_from'])} of these texts, "
            if certified["learned_from"]
            else "none of these texts, "
        )
        + "and never from these labels."
    )


def certified_tables(certified: Mapping[str, Any]) -> tuple[Table, ...]:
    """By label, by source, and the strata; none where the figures are withdrawn."""
    if "withdrawn" in certified:
        return ()
    strata = tuple(
        (one["name"], count(one["rows"]), count(one["drawn"]), count(one["looked_at"]))
        for one in certified["drawn"]["strata"]
    )
    return (
        _shares("Right by label given", "label", certified["per_label"]),
        _shares("Right by source", "source", certified["per_source"]),
        Table("How the rows were drawn", ("stratum", "rows", "drawn", "looked at"), strata, frozenset({1, 2, 3})),
    )


def _shares(caption: str, what: str, found: Mapping[str, Any]) -> Table:
    rows = tuple((name, count(one["rows"]), count(one["looked_at"]), *_share(one)) for name, one in found.items())
    return Table(caption, (what, "rows", "looked at", "right", "95 % interval"), rows, frozenset({1, 2, 3, 4}))


def _share(one: Mapping[str, Any]) -> tuple[str, str]:
    if "accuracy" not in one:
        return MISSING, MISSING
    low, high = one["interval"]
    return percent(one["accuracy"]), f"{low * 100:.1f} to {high * 100:.1f} %"


def _certified_facts_list(pairs: Facts) -> Markup:
    return element(
        "dl",
        None,
        *(element("div", None, element("dt", None, what), element("dd", None, said)) for what, said in pairs),
    )


def _certified_table_html(table: Table) -> Markup:
    def cells(tag: str, row: tuple[str, ...]) -> list[Markup]:
        return [
            element(tag, {"class": "n"} if place in table.numeric else {}, element("bdi", None, cell))
            for place, cell in enumerate(row)
        ]

    head = element("thead", None, element("tr", None, *cells("th", table.columns)))
    body = element("tbody", None, *(element("tr", None, *cells("td", row)) for row in table.rows))
    inner = element("table", None, element("caption", None, table.caption), head, body)
    return element("div", {"class": "wide", "role": "region", "tabindex": "0", "aria-label": table.caption}, inner)
