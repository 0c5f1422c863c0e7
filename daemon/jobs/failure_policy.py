"""What a failed run means for its job: a pause, another try, or the end. Pure."""

from __future__ import annotations

import dataclasses
import enum

from daemon.host import disk_errors
from daemon.journal.job_record import Pause
from daemon.processes.message_protocol import Failure
from freeal.errors import StoreBusyError

SPEND_CAP_PAUSE_SECONDS = 3600.0
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0
MOST_ATTEMPTS = 6
"""Runs of one job before an unreachable language model counts as a failure."""


class Setback(enum.StrEnum):
    """A fault of a job's process rather than of the job: one more try, in a fresh process, may do."""

    MEMORY = "memory"
    """Killed by the kernel for want of it: tried again with half the batch."""
    DIED = "died"
    SILENT = "silent"
    DEVICE = "device"


@dataclasses.dataclass(frozen=True, slots=True)
class SecondTry:
    """Run the job again at once; `setbacks` is what its record says from now on."""

    setbacks: str


def second_try(setback: Setback | None, *, setbacks: str) -> SecondTry | None:
    """One more run for each kind of fault. `setbacks` is what the job has behind it already."""
    if setback is None or setback in setbacks.split():
        return None
    return SecondTry(" ".join([*setbacks.split(), setback]))


def judge_failure(failure: Failure, *, attempts: int, now: float) -> Pause | None:
    """A pause where waiting may help, None where the job has failed. `attempts` counts its runs so far, from 1."""
    if failure.kind == "SpendCapError":
        reason = str(failure.as_error())
        return Pause(reason, now + SPEND_CAP_PAUSE_SECONDS, at_budget=True, is_attempt=False)
    if failure.passes:
        return Pause(str(failure.as_error()), now + disk_errors.RETRY_SECONDS, is_attempt=False)
    if failure.kind == StoreBusyError.__name__:
        return Pause(str(failure.as_error()), now + FIRST_PAUSE_SECONDS, is_attempt=False)
    if failure.kind == "TransientError" and attempts < MOST_ATTEMPTS:
        return Pause(failure.problem, now + min(FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), LONGEST_PAUSE_SECONDS))
    return None
