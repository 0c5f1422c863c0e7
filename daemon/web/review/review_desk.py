"""What every review page needs: who is there, a version and its rows, its sheet, its questions, what was said."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.host.clock import Clock
from daemon.outbox.durable_file_moves import make_folder
from daemon.outbox.model_shelf import Shelf
from daemon.review.review_in_child import Errands
from daemon.review.review_log import Person, ReviewLog, Said
from daemon.review.row_takers import RowTakers
from daemon.web.pages.page_context import Site
from freeal.errors import CorruptModelError
from freeal.row_index.build_index import mark_of_index
from freeal.row_index.row_search import About, RowIndex

NAME_COOKIE = "freeal_name"
MOST_NAME_CHARACTERS = 40
INDEXES_KEPT = 12


class NotReadyError(Exception):
    """Something is being prepared; the page says so and looks again. `what` in words."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclasses.dataclass(frozen=True, slots=True)
class Edition:
    """A version of a model, with its rows to be searched; `against` is the one they are compared with, None for the
    version before it."""

    shelf: Shelf
    version: str
    folder: Path
    index: RowIndex
    about: About
    against: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SheetLine:
    """A line of the blind sheet. `answer` is what the certificate counts already, None where it has none."""

    number: int
    text: str
    answer: str | None


def form_route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *, most_bytes: int) -> Route:
    """Where a form is sent."""
    return Route(path, endpoint, methods=["POST"], max_body_size=most_bytes)


class ReviewDesk:
    """The parts behind the review pages."""

    def __init__(self, site: Site, clock: Clock, errands: Errands) -> None:
        self.site, self.errands, self._clock = site, errands, clock
        self.takers = RowTakers(steady=clock.steady, wall=clock.wall)
        self._logs: dict[Path, ReviewLog] = {}

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.wall()

    def person(self, request: Request) -> Person:
        """Who asks: a digest stands for the browser's cookie, which is never written down."""
        visit = self.site.visit(request)
        name = re.sub(r"[^\w .'-]", "", unquote(request.cookies.get(NAME_COOKIE, "")))[:MOST_NAME_CHARACTERS].strip()
        return Person(hashlib.sha256(visit.encode(errors="replace")).hexdigest()[:12], name)

    def shelf_under_review(self, request: Request) -> Shelf:
        """The model of the address. Raises 404."""
        shelf = self.site.gallery.shelf(request.path_params["model"])
        if shelf is None:
            raise HTTPException(404, detail="There is no model of that name.")
        return shelf

    def log(self, shelf: Shelf) -> ReviewLog:
        """What was said of a model."""
        return self._logs.setdefault(shelf.folder, ReviewLog(shelf.folder, self._clock))

    async def edition_under_review(self, request: Request) -> Edition:
        """The model's current version. Raises 404, 409, `NotReadyError`, `FreealError`."""
        shelf = self.shelf_under_review(request)
        if shelf.current is None:
            raise HTTPException(409, detail="This model has no finished version yet.")
        return await self.edition(shelf, shelf.current)

    async def edition(self, shelf: Shelf, version: str, *, against: str | None = None) -> Edition:
        """One version that stands on the shelf, its rows compared with the version before it, or with `against`."""
        folder, index, mark, previous = await anyio.to_thread.run_sync(self._version_on_desk, shelf, version, against)
        about = await anyio.to_thread.run_sync(_about, index)
        if about is None or about.mark != mark:
            request: dict[str, Any] = {"task": "index", "version": os.fspath(folder), "target": os.fspath(index.path)}
            request["previous"] = os.fspath(previous) if previous else None
            key = f"index {version} {mark}"
            if await self.errands.result_of_child(key, request) is None:
                raise NotReadyError("The rows of this version are being read")
            self.errands.forget(key)  # the file is what is kept, and it may be taken away
            about = await anyio.to_thread.run_sync(_about, index)
            if about is None or about.mark != mark:
                raise NotReadyError("The rows of this version changed and are read anew")
        return Edition(shelf, version, folder, index, about, against)

    def _version_on_desk(
        self, shelf: Shelf, version: str, against: str | None
    ) -> tuple[Path, RowIndex, str, Path | None]:
        names = shelf.version_names()
        if version not in names or (against is not None and against not in names):
            raise HTTPException(404, detail="There is no such version.")
        older = names[names.index(version) + 1 :] if against is None else [against]
        previous = shelf.version(older[0]) if older else None
        rows = make_folder(self.site.settings.state / "rows")
        name = version if against is None else f"{version} {hashlib.sha256(against.encode()).hexdigest()[:16]}"
        target, folder = rows / f"{name}.sqlite", shelf.version(version)
        with contextlib.suppress(FileNotFoundError):
            os.utime(target)  # those that were looked at last are kept
        _keep_few(rows)
        return folder, RowIndex(target), mark_of_index(folder, previous), previous

    async def blind_sheet(self, edition: Edition) -> list[SheetLine]:
        """The blind sheet that was drawn from a version, in its order; empty where none was."""
        mark = await anyio.to_thread.run_sync(_file_mark, edition.folder / "certified.json")
        if mark is None:
            return []
        request = {"task": "sheet", "version": os.fspath(edition.folder)}
        found = await self.errands.result_of_child(f"sheet {edition.version} {mark}", request)
        if found is None:
            raise NotReadyError("The blind sheet is being read")
        return [SheetLine(**line) for line in found["lines"]]

    async def boundary_questions(self, edition: Edition, *, ask: bool, told: dict[str, Any]) -> dict[str, Any] | None:
        """The boundary questions of a version (`pairs`, `proposed_by`) and what proposals for them would cost
        (`forecast`), by what a child is `told` of who is asked; None where nobody asked yet and `ask` is not set."""
        mark = await anyio.to_thread.run_sync(_file_mark, edition.folder / "boundaries.yaml")
        if mark is None and not ask:
            return None
        request = {"task": "questions", "version": os.fspath(edition.folder), **told}
        about = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        found = await self.errands.result_of_child(f"questions {edition.version} {about} {mark}", request)
        if found is None:
            raise NotReadyError("The model looks for the labels that compete most")
        if mark is None:
            written = await anyio.to_thread.run_sync(_file_mark, edition.folder / "boundaries.yaml")
            self.errands.remember(f"questions {edition.version} {about} {written}", found)
        return found

    def scratch(self, name: str) -> Path:
        """A file of ours that is only on its way somewhere."""
        return make_folder(self.site.settings.state / "review") / name


def said_meanwhile(earlier: Said | None, person: Person, *, seen: str, thing: str) -> str:
    """What another person said since the form was made (`seen`: when what it showed was said); "" where nothing."""
    if earlier is None or earlier.person.id == person.id or f"{earlier.at}" == seen:
        return ""
    who = earlier.person.name or "Somebody else"
    what = f"skipped this {thing}" if earlier.said is None else f"said {earlier.in_words!r} here"
    return f"{who} {what} meanwhile. Choose again if you think otherwise: the last word counts."


def _about(index: RowIndex) -> About | None:
    try:
        return index.about()
    except CorruptModelError:
        return None  # there is none yet, or it is damaged: it is made anew


def _file_mark(path: Path) -> str | None:
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return f"{seen.st_size} {seen.st_mtime_ns}"


def _keep_few(folder: Path) -> None:
    found = sorted(folder.glob("*.sqlite"), key=lambda path: path.stat().st_mtime_ns)
    for path in found[: max(0, len(found) - INDEXES_KEPT)]:
        path.unlink(missing_ok=True)
