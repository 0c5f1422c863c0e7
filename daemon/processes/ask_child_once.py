"""One question to a process of its own, which ends with its answer."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from daemon.processes.message_protocol import Answer, Failure
from daemon.processes.process_supervisor import child, converse
from freeal.events import Event

TIMEOUT_SECONDS = 3600.0


async def ask_once(module: str, request: str, *, environment: Mapping[str, str] | None = None) -> Answer:
    """One question to a process of its own; `environment` default: ours without any key."""
    async with child(module, environment=environment) as process:
        answer = await converse(
            process,
            request,
            on_event=_ignore,
            stop=anyio.Event(),
            silence_seconds=TIMEOUT_SECONDS,
            grace_seconds=0.0,
        )
        code = await process.finish_process()
    return answer or Failure.of(process.how_it_died(code))


def _ignore(event: Event) -> None:
    """A dry run is not long enough to be followed."""
