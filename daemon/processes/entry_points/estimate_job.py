"""Entry point of the dry run's look at a job: `python -m daemon.processes.entry_points.estimate_job`.

One line of JSON in (`{"providers": [...], "job": {...}}`, the job as a training process gets it), one answer out:
what it would ask, cost and take. Asks nobody and is told of no key.
"""

from __future__ import annotations

import dataclasses
import json
import sys

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result


def estimate_job(line: str) -> Answer:
    """Read the CSV as the job would, and count what it would ask."""
    try:
        import anyio

        from freeal.cost_estimate.job_estimate import estimate_job_with
        from freeal.job.training_job import TrainingJob

        request = json.loads(line)
        job = TrainingJob.model_validate(request["job"])
        found = anyio.run(lambda: estimate_job_with(job, providers=request["providers"]))
        estimate = dataclasses.asdict(found)
        return Result({"figures": found.figures(), "first_prompt": found.first_prompt, "estimate": estimate})
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(estimate_job(sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
