"""Entry point of a training job's process: `python -m daemon.processes.train_job`.

The first line of stdin is the TrainingJob as JSON, later ones its share of the provider's limits. SIGTERM, or the end
of stdin, stops it where it can be resumed.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel
import filelock

from daemon.errors import AlreadyRunningError
from daemon.processes.channel import Channel, failure_of
from daemon.processes.protocol import Answer, Result, Stopped, decode_share
from freeal.llm.limiter import Limiter

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
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_at_signal, scope)
            answer = await _train(line, channel, scope)
            tasks.cancel_scope.cancel()
    return answer


async def _train(line: str, channel: Channel, scope: anyio.CancelScope) -> Answer:
    try:
        from freeal.job import TrainingJob, train

        job = TrainingJob.model_validate_json(line)
        limiter = Limiter.of(job.effective().llm)
        token = anyio.lowlevel.current_token()
        threading.Thread(target=_listen, args=(limiter, scope.cancel, token), daemon=True).start()
        with _alone_with(job.work):
            outcome = await train(job, emit=channel.emit, limiter=limiter)
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


def _listen(limiter: Limiter, stop: Callable[[], None], token: anyio.lowlevel.EventLoopToken) -> None:
    """Obey what comes down stdin, and stop at its end."""
    try:
        while line := sys.stdin.readline():
            if (message := decode_share(line)) is not None:
                anyio.from_thread.run_sync(limiter.take_share, message.share, token=token)
        anyio.from_thread.run_sync(stop, token=token)
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
