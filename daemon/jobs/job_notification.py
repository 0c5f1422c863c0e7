"""Telling somebody outside that a job has come to its end, or waits for its owner: a command, an address (`notify`).

At most once per ending, and never more than a try: what a job leaves lies in its folders, whoever heard of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import anyio
import structlog

from daemon.config import NotifySettings, Settings
from daemon.host.fault_guard import Guard
from daemon.journal.job_record import Job, State
from freeal.llm.credentials import environment_for

_log = structlog.get_logger(__name__)

MOST_WAITING = 1_000
"""Beyond that the oldest are forgotten: a command that hangs for days must not fill the memory."""

_PLACE = re.compile(r"\{(message|job|model|state)\}")
_WORDS = {
    State.DONE: "is done",
    State.FAILED: "has failed",
    State.CANCELLED: "was cancelled",
    State.PAUSED: "is paused",
    State.WAITING: "waits for your word: its pilot is over",
}


class JobNotifier:
    """Tells of jobs one after the other. Lives on the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.notify
        self._queue: list[dict[str, Any]] = []
        self._wanted = anyio.Event()
        self.is_busy = False
        """Whether somebody is still to be told of something."""

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings.notify

    def announce_job(self, job: Job) -> None:
        """Tell of this job, as it stands, soon; nothing where nobody wants to hear of that."""
        has_listener = self._settings.command is not None or self._settings.url is not None
        if has_listener and str(job.state) in self._settings.states:
            self._queue = [*self._queue, notification_of(job)][-MOST_WAITING:]
            self.is_busy = True
            self._wanted.set()

    async def run(self, wake: Callable[[], None]) -> None:
        """For ever; a listener that hangs, fails or is not there is logged and left alone. `wake` is called when all is
        told."""
        while True:
            while self._queue:
                message = self._queue.pop(0)
                await notify(message, self._settings)
            self.is_busy = False
            self._wanted = anyio.Event()
            wake()
            await self._wanted.wait()


def notification_of(job: Job) -> dict[str, Any]:
    """What is told of a job; nothing of its rows."""
    said = f"{job.name} {_WORDS.get(job.state, str(job.state))}"
    error = job.error or {}
    parts = [said, error.get("problem") or job.reason, error.get("hint") and f"to do: {error['hint']}"]
    return {
        "job": job.id,
        "model": job.name,
        "file": job.csv_name,
        "state": str(job.state),
        "message": ". ".join(part for part in parts if part),
        "text": ". ".join(part for part in parts if part),
        "usd": round(job.usd, 6),
    }


async def notify(message: dict[str, Any], settings: NotifySettings) -> None:
    """Run the command, call the address; a failure of one does not keep the other from being tried."""
    if settings.command is not None:
        with Guard("telling of a job", job=message["job"]):
            await _run_notify_command(settings.command, message, seconds=settings.timeout_seconds)
    if settings.url is not None:
        with Guard("telling of a job", job=message["job"]):
            await _post_notification(str(settings.url), message, seconds=settings.timeout_seconds)


async def _run_notify_command(command: tuple[str, ...], message: dict[str, Any], *, seconds: float) -> None:
    program, *arguments = command
    filled = [_filled(argument, message) for argument in arguments]
    problem = ""
    try:
        with anyio.fail_after(seconds):
            ended = await anyio.run_process(
                [program, *filled],
                input=json.dumps(message).encode(),
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment_for(None, os.environ),
                start_new_session=True,
            )
            problem = f"it ended with {ended.returncode}" if ended.returncode else ""
    except TimeoutError:
        problem = f"it took longer than notify.timeout_seconds ({seconds:g})"
    except OSError as cause:
        problem = f"it cannot be run: {cause.strerror}"
    if problem:
        _log.warning("notify.command", job=message["job"], problem=problem)


def _filled(argument: str, message: dict[str, Any]) -> str:
    """One pass: what a message says is never filled in again."""
    return _PLACE.sub(lambda found: str(message[found[1]]), argument)


async def _post_notification(url: str, message: dict[str, Any], *, seconds: float) -> None:
    import httpx  # a service that tells nobody does without

    problem = ""
    try:
        with anyio.fail_after(seconds):
            async with httpx.AsyncClient(timeout=seconds) as client:
                answer = await client.post(url, json=message)
            problem = f"it answered {answer.status_code}" if answer.status_code >= 300 else ""
    except TimeoutError:
        problem = f"it took longer than notify.timeout_seconds ({seconds:g})"
    except (httpx.HTTPError, httpx.InvalidURL) as cause:
        problem = str(cause) or type(cause).__name__
    if problem:
        _log.warning("notify.url", job=message["job"], problem=problem)  # the address may hold a secret
