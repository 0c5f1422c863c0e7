"""A model's review at a glance: what waits for a person, what was said, and making something of it. Whatever is made
goes through a file in `models/<name>/corrections/`, as if somebody had dropped it there."""

from __future__ import annotations

import dataclasses
import functools
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.host import clock
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import FINISHED, Job, State
from daemon.outbox.durable_file_moves import make_folder
from daemon.outbox.model_shelf import Shelf
from daemon.review.review_log import HandedIn, Kind
from daemon.web.pages.page_context import Site, see_other, text_of
from daemon.web.review.boundary_page import Boundaries
from daemon.web.review.compare_page import Compare
from daemon.web.review.corrections_summary import corrections_summary, write_corrections
from daemon.web.review.filled_sheet import write_filled_sheet
from daemon.web.review.label_page import Labelling, key_of
from daemon.web.review.review_desk import MOST_NAME_CHARACTERS, NAME_COOKIE, Edition, ReviewDesk, form_route
from daemon.web.review.rows_page import Rows
from daemon.web.uploads.place_in_inbox import place_files
from freeal.certification.sheet_size import FEWEST_ROWS, MOST_ROWS, USUAL_ROWS
from freeal.errors import CorruptModelError
from freeal.results import metrics_as_text

FORM_BYTES = 20_000
JOBS_SHOWN, BATCHES_SHOWN = 5, 10
YEAR_SECONDS = 365 * 24 * 3600
KINDS: tuple[Kind, ...] = ("queue", "sheet", "boundary")


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """A file made of answers, the job it became (None where there is none, or none known any more), and whether it lies
    in corrections/ still."""

    kind: Kind
    file: HandedIn
    job: Job | None
    waits: bool

    @property
    def came_to_nothing(self) -> bool:
        """Whether its answers may be open again."""
        return not self.waits and (self.job is None or self.job.state in FINISHED)


class Review:
    """The page, and the buttons on it."""

    def __init__(self, site: Site, desk: ReviewDesk) -> None:
        self._site, self._desk = site, desk
        self._labelling, self._boundaries = Labelling(desk), Boundaries(desk)
        self._rows, self._compare = Rows(desk), Compare(desk)

    def routes(self) -> list[Route]:
        """The addresses of a model's review, those of its parts among them; the first that fits counts."""
        own = [
            Route("/models/{model}/review", self.review_overview),
            form_route("/models/{model}/review/name", self.name_reviewer, most_bytes=FORM_BYTES),
            form_route("/models/{model}/review/take-back", self.take_answers_back, most_bytes=FORM_BYTES),
            form_route("/models/{model}/review/queue/hand-in", self.hand_in_queue, most_bytes=FORM_BYTES),
            form_route("/models/{model}/review/sheet/draw", self.draw_sheet, most_bytes=FORM_BYTES),
            form_route("/models/{model}/review/sheet/hand-in", self.hand_in_sheet, most_bytes=FORM_BYTES),
            form_route("/models/{model}/review/boundaries/hand-in", self.hand_in_boundaries, most_bytes=FORM_BYTES),
        ]
        parts = (self._boundaries, self._labelling, self._rows, self._compare)
        return [*own, *(route for part in parts for route in part.routes())]

    async def on_review_wait(self, request: Request, error: Exception) -> Response:
        """Say what is being prepared; a page looks again by itself."""
        if request.method == "POST":
            error = HTTPException(409, detail=f"{error}. Try again in a moment.")
            return await self._site.on_error(request, error)
        return self._site.page(request, "preparing.html.j2", {"what": str(error)}, status=202)

    async def review_overview(self, request: Request) -> Response:
        """The page: all three kinds of questions, and what became of the answers."""
        edition = await self._desk.edition_under_review(request)
        queue, sheet = (
            await self._labelling.card_stack(edition, "queue"),
            await self._labelling.card_stack(edition, "sheet"),
        )
        jobs = await anyio.to_thread.run_sync(self._jobs, edition.shelf.name)
        batches = await anyio.to_thread.run_sync(self._handed_in_files, edition.shelf, jobs)
        content = {
            "model": edition.shelf.name,
            "edition": edition,
            "queue": queue,
            "summary": await anyio.to_thread.run_sync(
                corrections_summary, edition, queue.said, await self._drawn(edition)
            ),
            "sheet": sheet,
            "pairs": await self._boundaries.boundary_pairs(edition),
            "certified": await anyio.to_thread.run_sync(_certified_figures, edition.folder),
            "batches": batches[:BATCHES_SHOWN],
            "jobs": [job for job in jobs if job.state not in FINISHED][:JOBS_SHOWN],
            "asks": self._site.settings.loop.ask_after_corrections,
            "folder": edition.shelf.folder,
            "log": self._desk.log(edition.shelf).path,
            "me": self._desk.person(request),
            "rows": (FEWEST_ROWS, MOST_ROWS, USUAL_ROWS),
        }
        return self._site.page(request, "review.html.j2", content)

    def _jobs(self, model: str) -> list[Job]:
        """What people handed in about a model, as jobs, newest first."""
        return [job for job in self._site.records.of_model(model) if is_correction(job.id)]

    def _handed_in_files(self, shelf: Shelf, jobs: Sequence[Job]) -> list[Batch]:
        """Files made of answers whose job did not come to a good end, or is under way."""
        log, by_name = self._desk.log(shelf), {job.csv_name: job for job in reversed(jobs)}
        found = []
        for kind in KINDS:
            for one in log.handed_in(kind):
                job, waits = by_name.get(one.file), os.path.lexists(shelf.folder / "corrections" / one.file)
                if job is None or job.state is not State.DONE:
                    found.append(Batch(kind, one, job, waits))
        return sorted(found, key=lambda batch: -batch.file.at)

    async def name_reviewer(self, request: Request) -> Response:
        """What a person wants to be called."""
        form = await self._site.form(request)
        shelf = self._desk.shelf_under_review(request)
        response = see_other(f"/models/{shelf.name}/review")
        name = text_of(form, "name").strip()[:MOST_NAME_CHARACTERS]
        plain = "".join(letter for letter in name if letter.isalnum() or letter in " ._-'")
        value = quote(plain)
        response.set_cookie(NAME_COOKIE, value, httponly=True, samesite="strict", max_age=YEAR_SECONDS)
        return response

    async def hand_in_queue(self, request: Request) -> Response:
        """A version from the corrections."""
        await self._site.form(request)
        edition = await self._desk.edition_under_review(request)
        stack, drawn = await self._labelling.card_stack(edition, "queue"), await self._drawn(edition)
        return await self._hand_in_answers(
            request, edition, "queue", lambda path: write_corrections(edition, stack.said, path, drawn)
        )

    async def _drawn(self, edition: Edition) -> set[str]:
        """Keys of everything on the blind sheet: a correction of it would withdraw what it measured."""
        return {key_of(line.text) for line in await self._desk.blind_sheet(edition)}

    async def hand_in_sheet(self, request: Request) -> Response:
        """A certificate from the sheet."""
        await self._site.form(request)
        edition = await self._desk.edition_under_review(request)
        stack, lines = await self._labelling.card_stack(edition, "sheet"), await self._desk.blind_sheet(edition)
        return await self._hand_in_answers(
            request, edition, "sheet", functools.partial(write_filled_sheet, stack, lines)
        )

    async def hand_in_boundaries(self, request: Request) -> Response:
        """Only what the answers can change is asked again."""
        await self._site.form(request)
        edition = await self._desk.edition_under_review(request)
        found = await self._boundaries.boundary_pairs(edition)
        if found is None:
            raise HTTPException(409, detail="There are no questions yet.")
        return await self._hand_in_answers(
            request, edition, "boundary", functools.partial(Boundaries.write_pairs, found)
        )

    async def _hand_in_answers(
        self, request: Request, edition: Edition, kind: Kind, write: Callable[[Path], dict[str, float]]
    ) -> Response:
        """The file first, then the line in the log: after a crash in between, the answers are handed in once more, and
        that changes nothing. `write` says which answers (key -> when) are in the file: others may come meanwhile."""
        ending = "boundaries.yaml" if kind == "boundary" else "sheet.csv" if kind == "sheet" else "corrections.csv"
        name = f"{clock.stamp(self._desk.now())}-{secrets.token_hex(2)}-{ending}"
        log, person = self._desk.log(edition.shelf), self._desk.person(request)

        def do() -> int:
            scratch = self._desk.scratch(name)
            try:
                given = write(scratch)
                if given:
                    folder = edition.shelf.folder / "corrections"
                    if folder.is_symlink():
                        raise CorruptModelError(f"{folder} is a link")
                    place_files({name: scratch}, make_folder(folder))
                    log.hand_in(kind, person, given, file=name)
                return len(given)
            finally:
                scratch.unlink(missing_ok=True)

        if not await anyio.to_thread.run_sync(do):
            raise HTTPException(409, detail="There is no answer yet that could be handed in.")
        return see_other(f"/models/{edition.shelf.name}/review#handed-in")

    async def take_answers_back(self, request: Request) -> Response:
        """The answers of a file whose job came to nothing are open again."""
        form = await self._site.form(request)
        shelf = self._desk.shelf_under_review(request)
        log, person = self._desk.log(shelf), self._desk.person(request)
        jobs = await anyio.to_thread.run_sync(self._jobs, shelf.name)
        file = text_of(form, "file")
        for batch in await anyio.to_thread.run_sync(self._handed_in_files, shelf, jobs):
            if batch.file.file == file and batch.came_to_nothing:
                await anyio.to_thread.run_sync(functools.partial(log.take_back, batch.kind, person, file=file))
                return see_other(f"/models/{shelf.name}/review")
        raise HTTPException(409, detail="There is no such file whose job came to nothing.")

    async def draw_sheet(self, request: Request) -> Response:
        """A blind sheet, a longer one, or another one."""
        form = await self._site.form(request)
        edition = await self._desk.edition_under_review(request)
        rows, is_anew = text_of(form, "rows"), text_of(form, "anew") == "1"
        if not rows.isdecimal() or not FEWEST_ROWS <= int(rows[:6]) <= MOST_ROWS * 10:
            raise HTTPException(400, detail=f"Name how many rows are to be drawn: {FEWEST_ROWS} or more.")
        jobs = await anyio.to_thread.run_sync(self._site.records.unfinished)
        batches = await anyio.to_thread.run_sync(self._handed_in_files, edition.shelf, ())
        if any(job.name == edition.shelf.name for job in jobs) or any(batch.waits for batch in batches):
            raise HTTPException(409, detail="A job of this model is under way. Draw the sheet when it is over.")
        request_of_child = {"task": "draw", "version": os.fspath(edition.folder), "rows": int(rows), "anew": is_anew}
        await self._desk.errands.finish_in_child(request_of_child)
        log, person = self._desk.log(edition.shelf), self._desk.person(request)
        if is_anew:
            await anyio.to_thread.run_sync(log.forget, "sheet", person)
        elif not any(line.answer for line in await self._desk.blind_sheet(edition)):
            await anyio.to_thread.run_sync(log.forget_handed_in, "sheet", person)
        return see_other(f"/models/{edition.shelf.name}/review/sheet")


def _certified_figures(version: Path) -> list[tuple[str, str]]:
    """The certified figures of a version, in words; nothing where nobody measured it."""
    try:
        said = metrics_as_text.certified_in_words(metrics_as_text.read_metrics(version).get("certified"))
        return said if any("certified" in what for what, _ in said) else []  # every line may have been "cannot say"
    except (CorruptModelError, KeyError, TypeError):
        return []  # the model's page says what is wrong with its figures
