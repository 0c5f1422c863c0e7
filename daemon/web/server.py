"""The page as one of the daemon's tasks: built before anything begins, served until the daemon stops."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
from collections.abc import Iterator

import anyio
import anyio.to_thread
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from daemon.config import Loaded
from daemon.host import fault_guard
from daemon.host.clock import Clock
from daemon.journal.journal import Journal
from daemon.journal.journal_reader import Records
from daemon.review import review_in_child
from daemon.review.review_in_child import Errands
from daemon.web import classify_in_child
from daemon.web.classify_in_child import Trial
from daemon.web.finished_models import Gallery
from daemon.web.live.live_feed import Feed
from daemon.web.live.overview_parts import overview_parts
from daemon.web.live.page_snapshot import Looks, Observer
from daemon.web.pages.api_endpoints import Machine
from daemon.web.pages.html_rendering import Pages
from daemon.web.pages.job_page import JobPage
from daemon.web.pages.model_page import Models
from daemon.web.pages.new_job_page import NewJob
from daemon.web.pages.overview_page import Overview
from daemon.web.pages.page_context import Site
from daemon.web.pages.predict_api import PredictApi
from daemon.web.review.review_desk import NotReadyError, ReviewDesk
from daemon.web.review.review_page import Review
from daemon.web.security import listen_address
from daemon.web.security.access_token import Access, find_token
from daemon.web.security.connection_limits import LimitedProtocol
from daemon.web.security.request_guard import Guard
from daemon.web.uploads.upload_folders import Uploads
from freeal.errors import FreealError

_log = structlog.get_logger(__name__)

FAREWELL_SECONDS = 2
"""How long answers under way may take once the daemon stops."""
SWEEP_SECONDS = 600.0


class LivePage:
    """Everything behind `web.enabled`. The address is taken when it is built; `run` serves."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        journal: Journal,
        clock: Clock,
        looks: Looks,
        trial_module: str = classify_in_child.MODULE,
        review_module: str = review_in_child.MODULE,
    ) -> None:
        """Raises `ConfigError` for an address that cannot be had and a token that cannot be read."""
        web, source = loaded.settings.web, loaded.sources["web.enabled"].partition(":")[0]
        token = find_token(web, environ=os.environ, base=loaded.base, source=source)
        self._socket = listen_address.bind_listener(web, source=source)
        self.url = listen_address.listen_url(self._socket)
        on_loopback = listen_address.is_loopback(self._socket)
        self._records = Records(loaded.settings.state)
        gallery, pages = Gallery(loaded.settings.models), Pages()
        observer = Observer(clock, looks, journal=journal, records=self._records, gallery=gallery)
        self.feed = Feed(observer.take_snapshot, functools.partial(overview_parts, pages.parts), steady=clock.steady)
        self.access = Access(token, clock, on_loopback=on_loopback)
        self.uploads = Uploads(loaded.settings, clock)
        self.trial = Trial(module=trial_module)
        site = Site(
            loaded=loaded,
            looks=looks,
            journal=journal,
            records=self._records,
            gallery=gallery,
            feed=self.feed,
            pages=pages,
            access=self.access,
            clock=clock,
        )
        self.errands = Errands(module=review_module)
        review = Review(site, ReviewDesk(site, clock, self.errands))
        models = Models(site, self.trial, self.uploads)
        machine = (Machine(site), PredictApi(site, self.trial))
        groups = (Overview(site), JobPage(site), review, models, NewJob(site, self.uploads), *machine)
        application = Starlette(
            routes=[route for group in groups for route in group.routes()],
            exception_handlers={
                NotReadyError: review.on_review_wait,
                HTTPException: site.on_error,
                FreealError: site.on_error,
                Exception: site.on_error,
            },
        )
        self.app: ASGIApp = Guard(application, web=web, on_loopback=on_loopback)
        self._may_act = on_loopback or token is not None

    async def run(self) -> None:
        """Serve until cancelled; then answers under way have a moment, and event streams end."""
        server = _uvicorn_server(self.app)
        try:
            with _uvicorn_to_our_log():
                with fault_guard.Guard("clearing uploads"):
                    await anyio.to_thread.run_sync(self.uploads.clear)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_serve, server, self._socket)
                    _log.info("the live page is open", url=self.url, read_only=not self._may_act)
                    try:
                        tasks.start_soon(self.feed.run)
                        tasks.start_soon(self.trial.run)
                        tasks.start_soon(self.errands.run)
                        await self._keep_tidy()
                    finally:
                        self.feed.close()
                        server.should_exit = True
        finally:
            self.close()

    async def _keep_tidy(self) -> None:
        while True:
            await anyio.sleep(SWEEP_SECONDS)
            with fault_guard.Guard("sweeping uploads"):
                await anyio.to_thread.run_sync(self.uploads.sweep)

    def close(self) -> None:
        """Let go of address and journal."""
        self._socket.close()
        self._records.close()


class _Server(uvicorn.Server):
    """Signals are the daemon's own business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn_server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=FAREWELL_SECONDS,
    )
    return _Server(config)


async def _serve(server: _Server, listener: socket.socket) -> None:
    with anyio.CancelScope(shield=True):  # it ends by `should_exit`, not in the middle of an answer
        await server.serve(sockets=[listener])


class _ToOurLog(logging.Handler):
    """uvicorn speaks to the standard logging; its warnings become lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            _log.error("the live page has a fault", problem=problem, exc_info=record.exc_info)
        else:
            _log.warning("the live page", problem=problem)


@contextlib.contextmanager
def _uvicorn_to_our_log() -> Iterator[None]:
    logger, handler = logging.getLogger("uvicorn"), _ToOurLog(level=logging.WARNING)
    before = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before[0]
        logger.setLevel(before[1])
