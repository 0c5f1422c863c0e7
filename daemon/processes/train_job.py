"""Entry point of a training job's process: `python -m daemon.processes.train_job`.

The first line of stdin is the TrainingJob as JSON. SIGTERM, or the end of stdin, stops it where it can be resumed.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel
import filelock

from daemon.errors import AlreadyRunningError
from daemon.processes.channel import Channel, failure_of
from daemon.processes.protocol import Answer, Result, Stopped

PREDECESSOR_SECONDS = 60.0


@contextlib.contextmanager
def _alone_with(work: Path) -> Iterator[None]:
    """Hold a job's folder. The process of a daemon that was killed may still be on its way out: wait for it."""
    work.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(work.parent / "process.lock", timeout=PREDECESSOR_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout as cause:
        raise AlreadyRunningError("another process still works on this job", hint="retry it later") from cause
    try:
        yield
    finally:
        lock.release()


async def _run(line: str, channel: Channel) -> Answer:
    answer: Answer = Stopped()
    with anyio.CancelScope() as scope:
        token = anyio.lowlevel.current_token()
        threading.Thread(target=_stop_at_end_of_stdin, args=(scope, token), daemon=True).start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_at_signal, scope)
            answer = await _train(line, channel)
            tasks.cancel_scope.cancel()
    return answer


async def _train(line: str, channel: Channel) -> Answer:
    try:
        from freeal.job import TrainingJob, train

        job = TrainingJob.model_validate_json(line)
        with _alone_with(job.work):
            outcome = await train(job, emit=channel.emit)
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which decides
        return failure_of(_the_one(error))
    return Result({"budget_reached": outcome.budget_reached, "metrics": outcome.metrics})


def _the_one(error: Exception) -> Exception:
    """What went wrong first, out of a task group's bundle."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _stop_at_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _stop_at_end_of_stdin(scope: anyio.CancelScope, token: anyio.lowlevel.EventLoopToken) -> None:
    while sys.stdin.readline():
        continue
    try:
        anyio.from_thread.run_sync(scope.cancel, token=token)
    except RuntimeError as error:  # the job ended meanwhile
        sys.stderr.write(f"{error}\n")


def main() -> int:
    """Run one job; 0 when it answered, whatever the answer."""
    channel = Channel.take_stdout()
    line = sys.stdin.readline()
    channel.send(anyio.run(_run, line, channel))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
