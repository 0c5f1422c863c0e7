"""What every page needs: the parts of the daemon it shows, and how a request is answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import anyio
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from daemon.config import Loaded, Settings
from daemon.host.clock import Clock
from daemon.journal.journal import Journal
from daemon.journal.journal_reader import Records
from daemon.web.finished_models import Gallery
from daemon.web.live.live_feed import Feed
from daemon.web.live.page_snapshot import Looks
from daemon.web.pages.html_rendering import STATIC, Pages
from daemon.web.security.access_token import SESSION_COOKIE, SESSION_SECONDS, VISIT_COOKIE, Access
from freeal.errors import FreealError

MOST_FIELDS = 3_000
"""Of one form: a table may have that many columns."""
FORM_BYTES = 4_000_000
_FOR_PROGRAMS = ("/api/", "/events", "/metrics", "/healthz")


@dataclasses.dataclass(frozen=True)
class Site:
    """The daemon as the page sees it."""

    loaded: Loaded
    looks: Looks
    journal: Journal
    records: Records
    gallery: Gallery
    feed: Feed
    pages: Pages
    access: Access
    clock: Clock
    one_estimate_at_a_time: anyio.CapacityLimiter = dataclasses.field(default_factory=lambda: anyio.CapacityLimiter(1))
    """A survey reads a whole table: over all pages, the second waits for the first."""

    @property
    def settings(self) -> Settings:
        """Those in force: the service may have read them again."""
        return self.looks.settings()

    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock.wall()

    def may_act(self, request: Request) -> bool:
        """Whether this visitor may change anything."""
        return self.access.may_act(
            session=request.cookies.get(SESSION_COOKIE, ""), authorization=request.headers.get("authorization", "")
        )

    def visit(self, request: Request) -> str:
        """What stands for this browser: its cookie, or the one that the answer will bring."""
        if not hasattr(request.state, "visit"):
            request.state.visit = request.cookies.get(VISIT_COOKIE) or self.access.new_visit()
        return str(request.state.visit)

    def page(self, request: Request, template: str, context: Mapping[str, Any], *, status: int = 200) -> Response:
        """An HTML page for this visitor. Who follows a link from elsewhere, even from a report, brings no cookies: the
        page is loaded once more, from itself, so that they are there and none is replaced."""
        is_from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET"
        if is_from_elsewhere and VISIT_COOKIE not in request.cookies:
            path = "/" + request.url.path.lstrip("/\\")  # two slashes would lead to another host
            address = f"{path}?{request.url.query}" if request.url.query else path
            return HTMLResponse(self.pages.render("again.html.j2", {"address": address}))
        visit = self.visit(request)
        about = {
            "may_act": self.may_act(request),
            "has_token": self.access.has_token,
            "is_logged_in": self.access.has_token and self.may_act(request),
            "form_token": self.access.form_token(visit),
            "path": request.url.path,
        }
        response = HTMLResponse(self.pages.render(template, {**about, **context}), status_code=status)
        if VISIT_COOKIE not in request.cookies:
            response.set_cookie(VISIT_COOKIE, visit, httponly=True, samesite="strict")
        return response

    def log_in(self, response: Response) -> None:
        """Let whoever gets this response act from now on."""
        value = self.access.new_session()
        response.set_cookie(SESSION_COOKIE, value, httponly=True, samesite="strict", max_age=int(SESSION_SECONDS))

    def log_out(self, response: Response) -> None:
        """Take that back."""
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")

    def static(self, name: str) -> Response:
        """Style, script or icon; pages name them with their digest, so a browser may keep them."""
        if name not in STATIC:
            raise HTTPException(404, detail="There is no such file.")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self.pages.static[name], media_type=STATIC[name], headers=headers)

    def require_right(self, request: Request) -> None:
        """Raise 403 for a visitor who may only look."""
        if not self.may_act(request):
            text = "log in first" if self.access.has_token else "this page can only be looked at from here"
            raise HTTPException(403, detail=f"You may not do that: {text}.")

    def require_own_form(self, request: Request, form_token: str) -> None:
        """Raise 403 for a form that no page of ours made for this visitor."""
        if self.access.is_bearer(request.headers.get("authorization", "")):
            return
        given = form_token or request.headers.get("x-form-token", "")
        if not self.access.is_form_token(given, visit=request.cookies.get(VISIT_COOKIE, "")):
            raise HTTPException(403, detail="This form is out of date. Load the page again, then send it once more.")

    async def form(self, request: Request) -> FormData:
        """The fields of a form that may be acted on. Raises 403."""
        self.require_right(request)
        return await self.open_form(request)

    async def open_form(self, request: Request) -> FormData:
        """The fields of a form of ours, whoever sends it."""
        form = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=FORM_BYTES)
        self.require_own_form(request, text_of(form, "form_token"))
        return form

    async def on_error(self, request: Request, error: Exception) -> Response:
        """An error as a page, or as JSON for programs."""
        status, text, headers = 500, "This page has a fault. The log says more.", None
        if isinstance(error, HTTPException):
            status, text, headers = error.status_code, error.detail, error.headers
        elif isinstance(error, FreealError):
            status, text = 409, str(error)
        if request.url.path.startswith(_FOR_PROGRAMS):
            return JSONResponse({"error": text}, status_code=status, headers=headers)
        response = self.page(request, "error.html.j2", {"status": status, "text": text}, status=status)
        response.headers.update(headers or {})
        return response


def text_of(form: FormData, name: str) -> str:
    """A field as text; empty where it is missing."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def see_other(address: str) -> Response:
    """Send the browser on after a POST."""
    return RedirectResponse(address, status_code=303)
