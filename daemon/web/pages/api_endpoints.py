"""For programs: `/healthz`, `/metrics`, `/api/status`, `/events`."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from daemon.web.live.live_feed import TooManyListenersError
from daemon.web.live.page_snapshot import Snapshot
from daemon.web.pages.page_context import Site

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format. Written by hand: it is one line per number."""

_MEGABYTE = 1_000_000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Sample = tuple[str, float]


class Machine:
    """The endpoints for programs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """The addresses for programs that watch."""
        return [
            Route("/healthz", self.healthz),
            Route("/metrics", self.metrics),
            Route("/api/status", self.status),
            Route("/events", self.events_endpoint),
        ]

    async def healthz(self, _request: Request) -> Response:
        """200, or 503 with the reasons."""
        try:
            problems = list((await self._site.feed.current_snapshot()).health.problems)
        except OSError as problem:
            problems = [f"a folder cannot be looked at: {problem.strerror}"]
        return JSONResponse({"healthy": not problems, "problems": problems}, status_code=503 if problems else 200)

    async def metrics(self, _request: Request) -> Response:
        """All numbers, for Prometheus."""
        snapshot = await self._site.feed.current_snapshot()
        lines = [*_metric_lines(snapshot), *_process_metric_lines(self._site.feed.listeners)]
        return PlainTextResponse("\n".join(lines) + "\n", headers={"Content-Type": METRICS_TYPE})

    async def status(self, _request: Request) -> Response:
        """What `python -m daemon status --json` prints."""
        return JSONResponse(dict((await self._site.feed.current_snapshot()).status))

    async def events_endpoint(self, request: Request) -> Response:
        """API endpoint of the server-sent events: what changed on the overview."""
        known = request.headers.get("last-event-id") or request.query_params.get("since", "")
        stream = self._site.feed.listen_to_events(known)
        try:
            first = await anext(stream)
        except TooManyListenersError:
            return PlainTextResponse("Too many pages listen.\n", status_code=503, headers={"Retry-After": "30"})
        return StreamingResponse(_after(first, stream), media_type="text/event-stream")


async def _after(first: str, stream: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for message in stream:
        yield message


def _metric_lines(snapshot: Snapshot) -> Iterator[str]:
    money, health = snapshot.money, snapshot.health
    yield from _metric("freeal_healthy", "1 when nothing is wrong.", [("", not health.problems)])
    jobs = [(f'{{state="{state}"}}', count) for state, count in snapshot.job_counts.items()]
    yield from _metric("freeal_jobs", "Training jobs by state.", jobs)
    predictions = [(f'{{state="{state}"}}', count) for state, count in snapshot.prediction_counts.items()]
    yield from _metric("freeal_predictions", "CSVs of the predict lane by state.", predictions)
    done = [(_labels(job=job.id, model=job.name, stage=job.stage), job.done) for job in snapshot.jobs if job.total]
    total = [(_labels(job=job.id, model=job.name, stage=job.stage), job.total) for job in snapshot.jobs if job.total]
    yield from _metric("freeal_job_steps_done", "Steps done in a running job's stage.", done)
    yield from _metric("freeal_job_steps", "Steps of a running job's stage in all.", total)
    yield from _metric("freeal_models", "Model folders.", [("", len(snapshot.models))])
    yield from _metric("freeal_waiting_files", "Files that cannot be taken yet.", [("", len(snapshot.waiting))])
    yield from _metric("freeal_spent_usd_total", "US dollars booked.", [("", money.total_usd)], kind="counter")
    yield from _metric("freeal_spent_today_usd", "US dollars booked this UTC day.", [("", money.today.usd)])
    unconfirmed = money.today.unconfirmed_usd
    yield from _metric("freeal_unconfirmed_today_usd", "Most that lost answers may add today.", [("", unconfirmed)])
    if money.cap_usd is not None:
        yield from _metric("freeal_daily_budget_usd", "Cap on US dollars per day.", [("", money.cap_usd)])
    yield from _metric("freeal_free_disk_bytes", "Room for results.", [("", health.free_disk_mb * _MEGABYTE)])
    if health.scan_age_seconds is not None:
        age = round(health.scan_age_seconds, 3)
        yield from _metric("freeal_last_scan_age_seconds", "Since the folders were looked at.", [("", age)])


def _process_metric_lines(listeners: int) -> Iterator[str]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    yield from _metric("freeal_event_listeners", "Pages that are open.", [("", listeners)])
    cpu = round(usage.ru_utime + usage.ru_stime, 3)
    yield from _metric("process_cpu_seconds_total", "CPU time of the service itself.", [("", cpu)], kind="counter")
    memory = pages * _PAGE_BYTES
    yield from _metric("process_resident_memory_bytes", "Memory of the service itself.", [("", memory)])


def _metric(name: str, text: str, samples: Sequence[Sample], *, kind: str = "gauge") -> Iterator[str]:
    if samples:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} {kind}"
        yield from (f"{name}{labels} {float(value):.12g}" for labels, value in samples)


def _labels(**values: str) -> str:
    """Names and values in braces; a value's backslash, quote and line break are escaped."""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in values.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
