"""Entry point of a training job's process: `python -m daemon.processes.entry_points.train_job`.

The first line of stdin is the TrainingJob or CorrectionJob as JSON, later ones its share of the provider's limits and
its turns on the device. SIGTERM, or the end of stdin, stops it where it can be resumed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
from pydantic import TypeAdapter

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.child_device_turn import DeviceTurns
from daemon.processes.job_folder_lock import hold_job_folder
from daemon.processes.message_protocol import Answer, Down, Grant, Result, Share, Stopped, decode_down
from freeal.events import Emit, Waiting
from freeal.llm.limits.rate_limiter import Limiter

PAUSE_TOLD_SECONDS = 30.0
NICENESS = 5
"""Training gives way to predictions, which somebody waits for, and to the service itself."""


async def _train_until_stopped(line: str, channel: Channel) -> Answer:
    answer: Answer = Stopped()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_at_signal, scope)
            answer = await _train(line, channel, scope)
            tasks.cancel_scope.cancel()
    return answer


async def _train(line: str, channel: Channel, scope: anyio.CancelScope) -> Answer:
    try:
        from freeal.job.new_version.correction_job import CorrectionJob
        from freeal.job.new_version.feedback_job import carry_feedback
        from freeal.job.run_training_job import Outcome, train
        from freeal.job.training_job import TrainingJob

        adapter: TypeAdapter[TrainingJob | CorrectionJob] = TypeAdapter(TrainingJob | CorrectionJob)
        job = adapter.validate_json(line)
        limiter = Limiter.of(job.effective().llm if isinstance(job, TrainingJob) else job.llm)
        turns = DeviceTurns(channel)
        ears = Ears(limiter, turns, scope.cancel, anyio.lowlevel.current_token())
        threading.Thread(target=ears.listen_to_daemon, daemon=True).start()
        async with hold_job_folder(job.work, turns.emit), anyio.create_task_group() as tasks:
            tasks.start_soon(_tell_of_pauses, limiter, turns.emit)
            outcome: Outcome | dict[str, Any]
            if isinstance(job, TrainingJob):
                outcome = await train(job, emit=turns.emit, limiter=limiter, device_turn=turns.device_turn)
            else:
                outcome = await carry_feedback(job, emit=turns.emit, limiter=limiter, device_turn=turns.device_turn)
            tasks.cancel_scope.cancel()
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which decides
        return failure_of(_the_one(error))
    if isinstance(outcome, dict):
        return Result({"budget_reached": False, "certified": outcome})
    content = {"budget_reached": outcome.budget_reached, "is_pilot": outcome.is_pilot, "metrics": outcome.metrics}
    return Result(content)


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


async def _tell_of_pauses(limiter: Limiter, emit: Emit) -> None:
    """While the provider wants no calls, say so: it is not us who are stuck."""
    while True:
        await anyio.sleep(PAUSE_TOLD_SECONDS)
        if limiter.gate.closed:
            emit(Waiting("the provider"))


class Ears:
    """Obeys what comes down stdin, and stops at its end."""

    def __init__(
        self, limiter: Limiter, turns: DeviceTurns, stop: Callable[[], None], token: anyio.lowlevel.EventLoopToken
    ) -> None:
        self._limiter, self._turns, self._stop, self._token = limiter, turns, stop, token

    def listen_to_daemon(self) -> None:
        """Hear what the daemon says of turns, shares and the end; for a thread of its own."""
        try:
            while line := sys.stdin.readline():
                anyio.from_thread.run_sync(self._obey, decode_down(line), token=self._token)
            anyio.from_thread.run_sync(self._stop, token=self._token)
        except RuntimeError as error:  # the job ended meanwhile
            sys.stderr.write(f"{error}\n")

    def _obey(self, message: Down | None) -> None:
        if isinstance(message, Share):
            self._limiter.take_share(message.share)
        elif isinstance(message, Grant):
            self._turns.take(message)


def main() -> int:
    """Run one job; 0 when it answered, whatever the answer."""
    os.nice(NICENESS)
    channel = Channel.take_stdout()
    line = sys.stdin.readline()
    channel.send(anyio.run(_train_until_stopped, line, channel))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
