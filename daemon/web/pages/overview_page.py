"""The overview, the jobs, and the buttons that ask for something."""

from __future__ import annotations

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.errors import UnknownJobError
from daemon.jobs.cancel_and_retry import CANCEL, RETRY, ask
from daemon.journal.job_record import Job, State
from daemon.journal.work_folder import Workplace
from daemon.web.pages.page_context import Site, see_other, text_of
from freeal.spec.job_spec import Spec

JOBS_PER_PAGE = 50


class Overview:
    """Jobs, seen together and one by one; logging in."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Where they are."""
        small = 100_000
        return [
            Route("/", self.overview),
            Route("/jobs", self.jobs),
            Route("/jobs/{job_id}", self.job),
            Route("/jobs/{job_id}/cancel", self.cancel, methods=["POST"], max_body_size=small),
            Route("/jobs/{job_id}/retry", self.retry, methods=["POST"], max_body_size=small),
            Route("/login", self.login, methods=["GET", "POST"], max_body_size=small),
            Route("/logout", self.logout, methods=["POST"], max_body_size=small),
            Route("/static/{name}", self.static),
        ]

    async def overview(self, request: Request) -> Response:
        """Everything at a glance."""
        snapshot, view, version = await self._site.feed.view()
        content = {"snapshot": snapshot, "view": view, "version": version, "inbox": self._site.settings.inbox}
        return self._site.page(request, "overview.html.j2", content)

    async def jobs(self, request: Request) -> Response:
        """Every job there ever was, page by page."""
        asked = request.query_params.get("page", "1")
        number = int(asked) if asked.isdecimal() and len(asked) < 7 and int(asked) else 1
        records = self._site.records
        unfinished = await anyio.to_thread.run_sync(records.unfinished) if number == 1 else ()
        skip = (number - 1) * JOBS_PER_PAGE
        finished = await anyio.to_thread.run_sync(lambda: records.finished(JOBS_PER_PAGE + 1, skip=skip))
        content = {
            "jobs": (*unfinished, *finished[:JOBS_PER_PAGE]),
            "number": number,
            "has_more": len(finished) > JOBS_PER_PAGE,
        }
        return self._site.page(request, "jobs.html.j2", content)

    async def job(self, request: Request) -> Response:
        """One job."""
        job = await self._job(request)
        spec = Spec.model_validate_json(job.spec) if job.spec else None
        model = await anyio.to_thread.run_sync(self._site.gallery.model, job.name)
        version = (await self._site.feed.view())[2]
        content = {"job": job, "spec": spec, "model": model, "version": version, "places": self._places(job)}
        return self._site.page(request, "job.html.j2", content)

    def _places(self, job: Job) -> list[tuple[str, str]]:
        """Where its files are, in words."""
        settings = self._site.settings
        if job.state is State.DONE:
            return [
                ("results", str(settings.models / job.name)),
                ("inputs", str(Workplace(settings, job.id).done)),
            ]
        if job.state in {State.FAILED, State.CANCELLED}:
            return [("inputs and ERROR.txt", str(Workplace(settings, job.id).failed))]
        return []

    async def cancel(self, request: Request) -> Response:
        """Ask to give a job up."""
        return await self._ask(request, CANCEL)

    async def retry(self, request: Request) -> Response:
        """Ask to run a job again."""
        return await self._ask(request, RETRY)

    async def _ask(self, request: Request, wish: str) -> Response:
        await self._site.form(request)
        job = await self._job(request)
        try:
            await anyio.to_thread.run_sync(ask, self._site.journal, job.id, wish)
        except UnknownJobError as problem:
            raise HTTPException(409, detail=str(problem)) from problem
        return see_other(f"/jobs/{job.id}")

    async def _job(self, request: Request) -> Job:
        job = await anyio.to_thread.run_sync(self._site.records.job, request.path_params["job_id"])
        if job is None:
            raise HTTPException(404, detail="There is no such job.")
        return job

    async def login(self, request: Request) -> Response:
        """Ask for the token; with it, let the browser act."""
        if not self._site.access.has_token:
            raise HTTPException(404, detail="There is nothing to log in to: no token is set (web.token_file).")
        if request.method != "POST":
            return self._site.page(request, "login.html.j2", {"is_wrong": False})
        form = await self._site.open_form(request)
        if not self._site.access.is_token(text_of(form, "token").strip()):
            return self._site.page(request, "login.html.j2", {"is_wrong": True}, status=403)
        response = see_other("/")
        self._site.log_in(response)
        return response

    async def logout(self, request: Request) -> Response:
        """Forget this browser."""
        await self._site.open_form(request)
        response = see_other("/")
        self._site.log_out(response)
        return response

    async def static(self, request: Request) -> Response:
        """Style, script and icon."""
        return self._site.static(request.path_params["name"])
