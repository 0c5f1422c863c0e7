"""What every request passes: is it meant for us, does it come from a page of ours, and what browsers may do with the
answer."""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.config import WebSettings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""A report is one file with its styles in it: shown with no rights at all, not even those of its own address."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_BY_DEFAULT = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
_READING = {"GET", "HEAD"}
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """ASGI middleware. Refuses with 400 (not our name) or 403 (another site's request); which methods an address knows,
    its route says."""

    def __init__(self, app: ASGIApp, *, web: WebSettings, on_loopback: bool) -> None:
        self._app = app
        self._web = web
        self._on_loopback = on_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return  # no websockets, no lifespan
        refusal = self._refuse_request(str(scope["method"]), Headers(scope=scope))

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                for name, value in _BY_DEFAULT.items():
                    headers.setdefault(name, value)
            await send(message)

        await (refusal or self._app)(scope, receive, send_guarded)

    def _refuse_request(self, method: str, headers: Headers) -> ASGIApp | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_allowed_host(hosts[0], self._web, on_loopback=self._on_loopback):
            text = "This address is not known under that name. Name it in web.allowed_hosts, or use localhost.\n"
            return PlainTextResponse(text, status_code=400)
        if method in _READING:
            return None
        if _is_foreign(headers, host=hosts[0]):
            return PlainTextResponse("This request came from another site.\n", status_code=403)
        return None


def _is_foreign(headers: Headers, *, host: str) -> bool:
    """Whether a browser says that another site sent this; a program that is no browser says nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != host


def is_allowed_host(header: str, web: WebSettings, *, on_loopback: bool) -> bool:
    """Whether a Host header names us.

    A foreign name that was pointed at our address (DNS rebinding) is refused. Beyond loopback, bare addresses are let
    in: nobody can point those elsewhere.
    """
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?", header)
    if match is None:
        return False
    name = match[1].strip("[]").rstrip(".").lower()
    if name in _LOCAL_NAMES or name in {host.lower() for host in web.allowed_hosts} or name == web.host.lower():
        return True
    return not on_loopback and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
