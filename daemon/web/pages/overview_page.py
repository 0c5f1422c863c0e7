"""The overview, the list of all jobs, and logging in."""

from __future__ import annotations

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.web.pages.page_context import Site, see_other, text_of

JOBS_PER_PAGE = 50


class Overview:
    """What is seen together; logging in."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """The addresses of the overview, the list of jobs, logging in and the static files."""
        small = 100_000
        return [
            Route("/", self.overview),
            Route("/jobs", self.all_jobs),
            Route("/login", self.login, methods=["GET", "POST"], max_body_size=small),
            Route("/logout", self.logout, methods=["POST"], max_body_size=small),
            Route("/static/{name}", self.static),
        ]

    async def overview(self, request: Request) -> Response:
        """Everything at a glance."""
        snapshot, view, version = await self._site.feed.current_view()
        content = {"snapshot": snapshot, "view": view, "version": version, "inbox": self._site.settings.inbox}
        return self._site.page(request, "overview.html.j2", content)

    async def all_jobs(self, request: Request) -> Response:
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
        """Log this browser out."""
        await self._site.open_form(request)
        response = see_other("/")
        self._site.log_out(response)
        return response

    async def static(self, request: Request) -> Response:
        """Style, script and icon."""
        return self._site.static(request.path_params["name"])
