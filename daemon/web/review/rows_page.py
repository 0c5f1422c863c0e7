"""The rows of any version: searched, filtered, sorted, page by page. An address holds the filter, so links can."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.web.review.review_desk import Edition, ReviewDesk
from freeal.row_index.row_search import NONE, ORDERS, UNLABELLED, RowFilter

ROWS_PER_PAGE = 50
_TICKS = ("disagree", "moved", "wrong", "exactly")
_TEXTS = ("words", "label", "llm", "student", "truth", "before", "source")
_MOST_CHARACTERS = 300


class Rows:
    """The page."""

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """The address of a page of rows."""
        return [Route("/models/{model}/rows", self.rows)]

    async def rows(self, request: Request) -> Response:
        """One page of the rows of a version."""
        query = request.query_params
        shelf = self._desk.shelf_under_review(request)
        version = query.get("version") or shelf.current
        against = query.get("against") or None
        edition = await (
            self._desk.edition(shelf, version, against=against) if version else self._desk.edition_under_review(request)
        )
        wanted, order = read_row_filter(query), query.get("order", "row")
        order = order if order in ORDERS else "row"
        asked = query.get("page", "1")
        number = int(asked) if asked.isdecimal() and len(asked) < 8 and int(asked) else 1
        skip = (number - 1) * ROWS_PER_PAGE
        total, rows = await anyio.to_thread.run_sync(
            lambda: edition.index.find(wanted, order=order, skip=skip, limit=ROWS_PER_PAGE)
        )
        content = {
            "model": shelf.name,
            "edition": edition,
            "versions": await anyio.to_thread.run_sync(shelf.version_names),
            "current": shelf.current,
            "wanted": wanted,
            "order": order,
            "orders": list(ORDERS),
            "sources": list(await anyio.to_thread.run_sync(edition.index.counts, "source")),
            "labels": [*edition.about.labels, NONE, *([UNLABELLED] if edition.about.kind == "multi" else [])],
            "rows": rows,
            "total": total,
            "number": number,
            "pages": max(1, -(-total // ROWS_PER_PAGE)),
            "skip": skip,
            "link": lambda **changes: _link(edition, wanted, order, changes),
        }
        return self._desk.site.page(request, "rows.html.j2", content)


def read_row_filter(query: Mapping[str, str]) -> RowFilter:
    """The filter of an address; what makes no sense in it decides nothing."""
    texts: dict[str, Any] = {name: query[name][:_MOST_CHARACTERS] for name in _TEXTS if query.get(name)}
    ticks: dict[str, Any] = {name: query.get(name) == "1" for name in _TICKS}
    bounds: dict[str, Any] = {}
    for name in ("least", "most"):
        with contextlib.suppress(ValueError):
            share = float(query.get(name, "").replace(",", "."))
            if 0.0 <= share <= 100.0:
                bounds[name] = share / 100
    return dataclasses.replace(RowFilter(), **texts, **ticks, **bounds)


def row_filter_as_query(wanted: RowFilter, order: str) -> dict[str, str]:
    """The fields of an address that stand for a filter; those that decide nothing are left out."""
    found = {name: str(getattr(wanted, name)) for name in _TEXTS if getattr(wanted, name)}
    found |= {name: "1" for name in _TICKS if getattr(wanted, name)}
    for name in ("least", "most"):
        if (bound := getattr(wanted, name)) is not None:
            found[name] = f"{bound * 100:g}"
    return found | ({"order": order} if order != "row" else {})


def _link(edition: Edition, wanted: RowFilter, order: str, changes: Mapping[str, object]) -> str:
    place = {"version": edition.version} | ({"against": edition.against} if edition.against else {})
    query = {**place, **row_filter_as_query(wanted, order)} | {key: str(one) for key, one in changes.items()}
    return f"/models/{edition.shelf.name}/rows?{urlencode({key: one for key, one in query.items() if one})}"
