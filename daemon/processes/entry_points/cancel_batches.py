"""Entry point for giving up a job's batches: `python -m daemon.processes.entry_points.cancel_batches`.

One line of JSON in, one answer out: `problems`, a sentence for each batch that may go on. The job's own process need
not run; the client it needs is too heavy for the daemon's.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result

if TYPE_CHECKING:
    from freeal.settings import LlmSettings

_CANCEL_TRIES = 3


async def cancel_batches(line: str) -> Answer:
    """Cancel what the record holds of `job`."""
    try:
        from freeal.settings import LlmSettings

        request = json.loads(line)
        problems = await _cancel_batches_of_job(
            LlmSettings.model_validate(request["llm"]),
            record=Path(request["record"]),
            job=request["job"],
            key_folder=Path(request["key_folder"]),
            environ=os.environ,
        )
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which decides
        return failure_of(error)
    return Result({"problems": problems})


async def _cancel_batches_of_job(
    settings: LlmSettings, *, record: Path, job: str, key_folder: Path, environ: Mapping[str, str]
) -> list[str]:
    """Cancel every batch of `job`; for each that may go on and cost money, a sentence that says why.

    Raises `CredentialsError` without a key.
    """
    from freeal.events import ignore
    from freeal.job.open_chat_model import open_chat_model
    from freeal.llm.batches import batch_cancellation
    from freeal.llm.batches.anthropic_batches import AnthropicBatches
    from freeal.llm.batches.batch_journal import BatchBook
    from freeal.llm.limits.retry import Retry
    from freeal.llm.providers.anthropic import AnthropicModel

    anthropic_settings = settings.model_copy(update={"provider": "anthropic"})
    model = await open_chat_model(
        anthropic_settings,
        cache=record.parent,
        key_folder=key_folder,
        device="cpu",
        emit=ignore,
        api_key=None,
        environ=environ,
    )
    async with contextlib.aclosing(model):
        if not isinstance(model, AnthropicModel):
            return []
        with contextlib.closing(BatchBook(record)) as book:
            service = AnthropicBatches(model)
            return await batch_cancellation.cancel_batches_of_job(service, Retry(_CANCEL_TRIES), book, job=job)


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(anyio.run(cancel_batches, sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
