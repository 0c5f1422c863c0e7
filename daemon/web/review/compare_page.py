"""Two versions of a model side by side: what was measured, label shares, settings that differ, the rows that moved."""

from __future__ import annotations

from urllib.parse import urlencode

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.outbox.model_shelf import Shelf
from daemon.web.review.review_desk import Edition, ReviewDesk
from freeal.results import version_comparison
from freeal.row_index.row_search import NONE, UNLABELLED, Move


class Compare:
    """The page."""

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """The address of the comparison of two versions."""
        return [Route("/models/{model}/compare", self.compare_versions)]

    async def compare_versions(self, request: Request) -> Response:
        """Two versions; without a choice the current one and the one before it."""
        shelf = self._desk.shelf_under_review(request)
        names = await anyio.to_thread.run_sync(shelf.version_names)
        before, after = _chosen_versions(shelf, names, request)
        edition = await self._desk.edition(shelf, after, against=before)
        found = await anyio.to_thread.run_sync(
            version_comparison.compare_versions, shelf.version(before), shelf.version(after)
        )
        moves, compared = await anyio.to_thread.run_sync(edition.index.moves)
        content = {
            "model": shelf.name,
            "versions": names,
            "current": shelf.current,
            "before": before,
            "after": after,
            "found": found,
            "moves": [(one, _rows_of(edition, one)) for one in moves],
            "moved": sum(one.rows for one in moves),
            "compared": compared,
            "all_moved": _address(edition, moved="1"),
            "has_earlier": edition.about.has_earlier,
            "folder": shelf.folder,
        }
        return self._desk.site.page(request, "compare.html.j2", content)


def _chosen_versions(shelf: Shelf, names: tuple[str, ...], request: Request) -> tuple[str, str]:
    """The two of the address. Raises 404 for one that is not there, 409 where there are no two."""
    if len(names) < 2 or shelf.current is None:
        raise HTTPException(409, detail="This model has one version. There is nothing to lay beside it yet.")
    after = request.query_params.get("after") or shelf.current
    older = names[names.index(after) + 1 :] if after in names else ()
    other = next((name for name in (*older, *names) if name != after), after)
    before = request.query_params.get("before") or other
    if not {before, after} <= set(names):
        raise HTTPException(404, detail="There is no such version.")
    return before, after


def _rows_of(edition: Edition, one: Move) -> str:
    several = edition.about.kind == "multi"
    none = UNLABELLED if several else NONE
    exactly = {"exactly": "1"} if several else {}
    return _address(edition, moved="1", label=one.after or none, before=one.before or none, **exactly)


def _address(edition: Edition, **wanted: str) -> str:
    """Of the rows of the later version, compared with the former."""
    place = {"version": edition.version, "against": str(edition.against)}
    return f"/models/{edition.shelf.name}/rows?{urlencode(place | wanted)}"
