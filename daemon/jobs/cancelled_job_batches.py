"""A cancelled job's batches at the provider: cancelled too, whether or not the job's process still runs."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.host.fault_guard import Guard
from daemon.journal.job_record import Job
from daemon.processes.message_protocol import Answer, Failure, Result
from daemon.processes.process_supervisor import child, converse
from freeal.llm.batches import batch_journal
from freeal.llm.batches.batch_journal import BatchBook
from freeal.llm.credentials import environment_for

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.entry_points.cancel_batches"
TIMEOUT_SECONDS = 300.0


class Batches:
    """Knows which jobs have batches under way."""

    def __init__(self, settings: Settings, *, key_folder: Path) -> None:
        self._settings = settings
        self._key_folder = key_folder
        self._record = settings.state / batch_journal.FILE_NAME

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings: batches are cancelled where they are sent to now."""
        self._settings = settings

    async def cancel_batches(self, job: Job) -> list[str]:
        """Cancel a job's batches; for each that may go on and cost money, a sentence that says why."""
        problems: list[str] = []
        with Guard("cancelling batches", job=job.id) as guard:
            if await anyio.to_thread.run_sync(self._has_any, job):
                problems = await self._cancel_in_child(job)
        if guard.fault is not None:
            problems = [str(guard.fault.error)]
        for problem in problems:
            _log.error("a batch of a cancelled job may go on", job=job.id, problem=problem)
        return problems

    def _has_any(self, job: Job) -> bool:
        if not self._record.is_file():
            return False
        with contextlib.closing(BatchBook(self._record)) as book:
            return bool(book.open_entries(job=job.id))

    async def _cancel_in_child(self, job: Job) -> list[str]:
        request = {
            "llm": self._settings.llm.model_dump(mode="json"),
            "record": str(self._record),
            "job": job.id,
            "key_folder": str(self._key_folder),
        }
        answer = await _ask_cancel_process(json.dumps(request))
        if isinstance(answer, Result):
            return [str(problem) for problem in answer.content["problems"]]
        reason = str(answer.as_error()) if isinstance(answer, Failure) else "its process was stopped"
        return [f"the batches of this job could not be cancelled: {reason}"]


async def _ask_cancel_process(request: str) -> Answer:
    async with child(MODULE, environment=environment_for("anthropic", os.environ)) as process:
        answer = await converse(
            process,
            request,
            on_event=lambda _: None,
            stop=anyio.Event(),
            silence_seconds=TIMEOUT_SECONDS,
            grace_seconds=0.0,
        )
        code = await process.finish_process()
    return answer or Failure.of(process.how_it_died(code))
