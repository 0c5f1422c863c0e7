"""A job's page: its life on one screen, and what may be asked of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from daemon.config import Settings
from daemon.errors import UnknownJobError
from daemon.jobs.cancel_and_retry import CANCEL, DISMISS, GO, RETRY, write_request
from daemon.jobs.estimate_in_child import estimate_in_child
from daemon.journal.job_record import Job, State
from daemon.journal.work_folder import Workplace
from daemon.outbox.model_shelf import Shelf
from daemon.web.finished_models import is_plain_file
from daemon.web.pages import job_story, page_charts
from daemon.web.pages.error_in_page_words import error_for_page
from daemon.web.pages.page_context import FORM_BYTES, Site, see_other, text_of
from daemon.web.security.request_guard import REPORT_POLICY
from daemon.web.uploads import changed_spec
from daemon.web.uploads.changed_spec import Inputs
from freeal.errors import CorruptModelError, FreealError
from freeal.results import pilot_json_file
from freeal.spec.job_spec import Spec

_SMALL = 100_000
PILOT_FILES = {"report.html": "report.html", "annotated.csv": "annotated.csv"}
"""What of a pilot may be looked at."""


class JobPage:
    """One job."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """The addresses of a job: its page, what may be asked of it, its pilot, another try."""
        wishes = {"cancel": CANCEL, "retry": RETRY, "dismiss": DISMISS, "go": GO}
        return [
            Route("/jobs/{job_id}", self.job),
            *(
                Route(f"/jobs/{{job_id}}/{name}", self._request_handler(wish), methods=["POST"], max_body_size=_SMALL)
                for name, wish in wishes.items()
            ),
            Route("/jobs/{job_id}/pilot/{file}", self.pilot_file),
            Route("/jobs/{job_id}/rerun", self.rerun, methods=["POST"], max_body_size=FORM_BYTES),
            Route("/jobs/{job_id}/quote", self.quote_rerun, methods=["POST"], max_body_size=FORM_BYTES),
        ]

    async def job(self, request: Request) -> Response:
        """One job."""
        return await self._job_page(request, await self._job(request))

    async def pilot_file(self, request: Request) -> Response:
        """The report of a pilot, or its labelled rows."""
        job = await self._job(request)
        path = Shelf(self._site.settings.models, job.name).pilot(job.id) / PILOT_FILES.get(
            request.path_params["file"], "."
        )
        if not await anyio.to_thread.run_sync(is_plain_file, path):
            raise HTTPException(404, detail="There is nothing here by that name.")
        if path.suffix == ".html":
            return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})
        return FileResponse(path, filename=f"{job.id}-{path.name}", media_type="text/csv; charset=utf-8")

    async def rerun(self, request: Request) -> Response:
        """Run a job again with the spec that was typed: in its place, or as another job where it is done."""
        job, inputs, text = await self._changed_inputs(request)
        settings = self._site.settings
        try:
            if job.state is State.DONE:
                await anyio.to_thread.run_sync(changed_spec.put_spec_anew, text, inputs, settings)
                return see_other("/")
            await anyio.to_thread.run_sync(
                lambda: changed_spec.put_spec_in_place(text, inputs, settings, name=job.name)
            )
            await anyio.to_thread.run_sync(write_request, self._site.journal, job.id, RETRY)
        except FreealError as error:
            return await self._job_page(request, job, spec_text=text, problem=error_for_page(error))
        return see_other(f"/jobs/{job.id}")

    async def quote_rerun(self, request: Request) -> Response:
        """What a job with the spec that was typed would ask and cost."""
        job, inputs, text = await self._changed_inputs(request)
        try:
            with changed_spec.read_changed_spec(text, inputs, self._site.settings) as (spec, folder):
                async with self._site.one_estimate_at_a_time:
                    loaded = dataclasses.replace(self._site.loaded, settings=self._site.settings)
                    found = await estimate_in_child(loaded, spec, csv=inputs.csv, folder=folder / "work")
        except FreealError as error:
            return await self._job_page(request, job, spec_text=text, problem=error_for_page(error))
        return await self._job_page(request, job, spec_text=text, quoted=found["figures"])

    def _request_handler(self, wish: str) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            await self._site.form(request)
            job = await self._job(request)
            try:
                await anyio.to_thread.run_sync(write_request, self._site.journal, job.id, wish)
            except UnknownJobError as problem:
                raise HTTPException(409, detail=str(problem)) from problem
            return see_other("/" if wish == DISMISS else f"/jobs/{job.id}")

        return asked

    async def _changed_inputs(self, request: Request) -> tuple[Job, Inputs, str]:
        fields = await self._site.form(request)
        job = await self._job(request)
        inputs = await anyio.to_thread.run_sync(changed_spec.inputs_to_run_again, job, self._site.settings)
        if inputs is None:
            raise HTTPException(409, detail="This job cannot be changed: it is under way, or its files are gone.")
        return job, inputs, text_of(fields, "spec_text").replace("\r\n", "\n")

    async def _job(self, request: Request) -> Job:
        job = await anyio.to_thread.run_sync(self._site.records.job, request.path_params["job_id"])
        if job is None:
            raise HTTPException(404, detail="There is no such job.")
        return job

    async def _job_page(
        self,
        request: Request,
        job: Job,
        *,
        spec_text: str | None = None,
        problem: str = "",
        quoted: list[tuple[str, str]] | None = None,
    ) -> Response:
        content = await anyio.to_thread.run_sync(self._job_page_content, job, spec_text)
        version = (await self._site.feed.current_view())[2]
        content |= {"version": version, "problem": problem, "quoted": quoted or ()}
        return self._site.page(request, "job.html.j2", content, status=422 if problem else 200)

    def _job_page_content(self, job: Job, spec_text: str | None) -> dict[str, Any]:
        story = job_story.story_of_job(job, self._site.records.history(job.id), now=self._site.now())
        inputs = changed_spec.inputs_to_run_again(job, self._site.settings)
        if spec_text is None:
            spec_text = inputs.spec_text() if inputs else None
        return {
            "job": job,
            "spec": _spec_of(job),
            "model": self._site.gallery.model(job.name),
            "places": self._places_of_job(job),
            "story": story,
            "pilot": _pilot_of_job(job, self._site.settings) if job.state is State.WAITING else None,
            "rounds_picture": page_charts.rounds_picture(story.rounds),
            "spec_text": spec_text if inputs else None,
        }

    def _places_of_job(self, job: Job) -> list[tuple[str, str]]:
        """Where the files of a job are, in words."""
        settings = self._site.settings
        if job.state is State.DONE:
            return [("results", str(settings.models / job.name)), ("inputs", str(Workplace(settings, job.id).done))]
        if job.state in {State.FAILED, State.CANCELLED}:
            return [("inputs and ERROR.txt", str(Workplace(settings, job.id).failed))]
        return []


def _pilot_of_job(job: Job, settings: Settings) -> dict[str, Any] | None:
    """pilot.json; None where somebody took it away, or it is not ours."""
    try:
        return pilot_json_file.read_pilot_json(Shelf(settings.models, job.name).pilot(job.id))
    except CorruptModelError:
        return None


def _spec_of(job: Job) -> Spec | None:
    try:
        return Spec.model_validate_json(job.spec) if job.spec else None
    except ValidationError:  # of an earlier version of the software: the page shows the rest
        return None
