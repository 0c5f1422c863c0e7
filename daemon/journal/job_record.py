"""A training job: its record and the moves between its states. Pure.

claimed -> annotating <-> training -> publishing -> done
   ^            any of them -> failed | cancelled | paused(reason, until) | waiting (a pilot, for its owner's word)
   +---------- paused, failed (retry), waiting (go), and whatever a restart finds unfinished
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

from daemon.errors import IllegalMoveError


class State(enum.StrEnum):
    """Where a job stands."""

    CLAIMED = "claimed"
    ANNOTATING = "annotating"
    TRAINING = "training"
    PUBLISHING = "publishing"
    PAUSED = "paused"
    WAITING = "waiting"
    """Its pilot is over; its owner says whether the rest is asked."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUNNING = frozenset({State.ANNOTATING, State.TRAINING, State.PUBLISHING})
FINISHED = frozenset({State.DONE, State.FAILED, State.CANCELLED})

_ENDS = {State.FAILED, State.CANCELLED, State.PAUSED}
MOVES: dict[State, frozenset[State]] = {
    # claimed -> done: the same content is done already; claimed -> publishing: only the publishing was left
    State.CLAIMED: frozenset({State.ANNOTATING, State.TRAINING, State.PUBLISHING, State.DONE, *_ENDS}),
    State.ANNOTATING: frozenset({State.TRAINING, State.PUBLISHING, State.CLAIMED, *_ENDS}),
    State.TRAINING: frozenset({State.ANNOTATING, State.PUBLISHING, State.CLAIMED, *_ENDS}),
    State.PUBLISHING: frozenset({State.DONE, State.WAITING, State.CLAIMED, *_ENDS}),
    State.PAUSED: frozenset({State.CLAIMED, State.CANCELLED, State.FAILED}),
    State.WAITING: frozenset({State.CLAIMED, State.CANCELLED, State.FAILED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset({State.CLAIMED}),
    State.CANCELLED: frozenset({State.CLAIMED}),
}


def check_move(before: State, after: State) -> None:
    """Raise `IllegalMoveError` unless `before` leads to `after`."""
    if after not in MOVES[before]:
        raise IllegalMoveError(f"a job that is {before} cannot become {after}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the journal. Times are seconds since 1970, UTC."""

    id: str
    name: str
    """The model's name."""
    key: str
    """SHA-256 of CSV bytes, spec and settings, what the result depends on; empty before the first run."""
    csv_name: str
    spec_name: str
    state: State = State.CLAIMED
    round: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    usd: float = 0.0
    calls: int = 0
    attempts: int = 0
    force: bool = False
    partial: bool = False
    """Stopped at a budget: the result holds what there was."""
    reason: str = ""
    """Why it is paused, or what it was the same as."""
    until: float | None = None
    error: dict[str, Any] | None = None
    csv_sha256: str = ""
    spec: str = ""
    """The checked spec as JSON; empty where it was unusable."""
    origin: str = "[]"
    """JSON: the files as they stood in the inbox; lets a restart finish the claim."""
    request: str = ""
    """`cancel`, `retry` or `go`, as asked for on the command line or the page and not yet done."""
    setbacks: str = ""
    """Faults of its processes that it was tried again after, by `verdict.Setback`, joined by spaces."""
    stage_since: float = 0.0
    """When the stage under way began, and `stage_first`, how much of it was done then: for the rate."""
    stage_first: int = 0
    rounds: int = 0
    """Rounds at most; 0 where nobody has said yet."""
    overall: float | None = None
    """How much of the whole job is done, 0 to 1; with `ends_at`, when it is expected to end. None: not to be told."""
    ends_at: float | None = None
    dismissed: bool = False
    """Its failure has been dealt with: it is not shown among the failed ones any more."""
    past_pilot: bool = False
    """Its owner has seen the pilot and wants the rest."""
    created_at: float
    updated_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Try again at `until` (seconds since 1970)."""

    reason: str
    until: float
    at_budget: bool = False
    """Money is what is missing."""
    is_attempt: bool = True
    """Whether the run counts among those after which a job is given up."""


def of_row(fields: dict[str, Any]) -> Job:
    """A job from the columns of its row, its error decoded."""
    flags = {name: bool(fields[name]) for name in ("force", "partial", "dismissed", "past_pilot")}
    return Job(**fields | flags | {"state": State(fields["state"])})
