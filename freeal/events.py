"""What a running job tells whoever watches it: a terminal, the daemon, a notebook.

Events are values; how they travel (a callback here, JSON lines between processes) is the listener's business.
They never carry the text of a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

Stage = Literal["reading", "loading", "annotating", "encoding", "training", "selecting", "deciding", "writing"]
Awaited = Literal["the device", "a batch", "the provider", "its former process"]


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of a stage; `unit` names the step (rows, batches). `round` is 0 outside the rounds, of
    which there are `rounds` at most (0: not known yet).

    `overall` is how much of the whole job is done, 0 to 1, and `remaining_seconds` what it will take, training and
    further rounds included; None while neither can be told.
    """

    stage: Stage
    round: int
    done: int
    total: int
    unit: str = "rows"
    rounds: int = 0
    overall: float | None = None
    remaining_seconds: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Spend:
    """The ledger after a call: totals of this job so far, all its runs together."""

    usd: float
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    unconfirmed_usd: float = 0.0
    """The most that replies lost on the way may have cost beside `usd`."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchProgress:
    """A batch is under way at the provider, or has just ended: `answered` of its `requests` are over with."""

    batch: str
    answered: int
    requests: int


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """The job can do nothing but wait until it says something else; told again now and then while that lasts.

    For its turn on the device, for a batch whose service does not answer, until the provider wants calls again, or
    until the process of an earlier run has ended.
    """

    what: Awaited


@dataclasses.dataclass(frozen=True, slots=True)
class RoundFinished:
    """A round is over and its state is on disk; `metrics` is its entry in metrics.json."""

    round: int
    metrics: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know; the job goes on."""

    message: str


Event = Progress | Spend | BatchProgress | Waiting | RoundFinished | Notice
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that does not care."""
