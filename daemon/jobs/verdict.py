"""What a failed run means for its job: over, or try again later. Pure."""

from __future__ import annotations

import dataclasses

from daemon.processes.protocol import Failure

SPEND_CAP_PAUSE_SECONDS = 3600.0
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0
MOST_ATTEMPTS = 6
"""Runs of one job before an unreachable language model counts as a failure."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Try again at `until` (seconds since 1970)."""

    reason: str
    until: float
    at_budget: bool = False
    """Money is what is missing."""


def judge(failure: Failure, *, attempts: int, now: float) -> Pause | None:
    """A pause where waiting may help, None where the job has failed. `attempts` counts its runs so far, from 1."""
    if failure.kind == "SpendCapError":
        return Pause(failure.problem, now + SPEND_CAP_PAUSE_SECONDS, at_budget=True)
    if failure.kind == "TransientError" and attempts < MOST_ATTEMPTS:
        return Pause(failure.problem, now + min(FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), LONGEST_PAUSE_SECONDS))
    return None
