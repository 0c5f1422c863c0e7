"""Entry point for giving up a job's batches: `python -m daemon.processes.entry_points.cancel_batches`.

One line of JSON in, one answer out: `problems`, a sentence for each batch that may go on. The job's own process need
not run; the client it needs is too heavy for the daemon's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result


async def cancel(line: str) -> Answer:
    """Cancel what the record holds of `job`."""
    try:
        from freeal.job.choose_implementations import cancel_batches
        from freeal.settings import LlmSettings

        request = json.loads(line)
        problems = await cancel_batches(
            LlmSettings.model_validate(request["llm"]),
            record=Path(request["record"]),
            job=request["job"],
            key_folder=Path(request["key_folder"]),
            environ=os.environ,
        )
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which decides
        return failure_of(error)
    return Result({"problems": problems})


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(anyio.run(cancel, sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
