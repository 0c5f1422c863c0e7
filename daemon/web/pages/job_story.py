"""What a job went through, for its page: steps with their times, figures of its rounds, what it said. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from daemon.journal.job_history import Entry
from daemon.journal.job_record import FINISHED, RUNNING, Job, State

BEFORE, AFTER = "read and load", "decide and write"
_BEFORE = {"reading", "loading", "encoding"}


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A part of a job's life. `seconds` is how long it took, or has taken so far; None where it has not begun."""

    name: str
    state: Literal["done", "now", "todo"]
    seconds: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """`rounds` are the entries of metrics.json of the finished rounds, in order; `notices` are (seconds since 1970,
    what was said), the newest first."""

    steps: tuple[Step, ...]
    rounds: tuple[Mapping[str, Any], ...]
    notices: tuple[tuple[float, str], ...]
    seconds: float
    """From the moment its files were taken until its end, or until now."""

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to tell."""
        return any(step.state != "todo" for step in self.steps)


def story_of_job(job: Job, history: Sequence[Entry], *, now: float) -> Story:
    """The story of a job as it stands `now` (seconds since 1970)."""
    end = job.updated_at if job.state in FINISHED else now
    rounds = {int(one.content["round"]): one.content for one in history if one.kind == "round"}
    said = {str(one.content["message"]): one.at for one in history if one.kind == "notice"}
    notices = sorted(((at, message) for message, at in said.items()), reverse=True)
    steps = tuple(_story_steps(job, [one for one in history if one.kind == "stage"], end=end))
    return Story(
        steps, tuple(rounds[number] for number in sorted(rounds)), tuple(notices), max(0.0, end - job.created_at)
    )


def _story_steps(job: Job, stages: Sequence[Entry], *, end: float) -> list[Step]:
    """Those of its last run: after a restart the finished rounds are only read."""
    began: dict[str, float] = {}
    for entry in stages:
        name = _step_of(entry)
        if name == BEFORE and entry.content["stage"] == "reading":
            began.clear()
        began.setdefault(name, entry.at)
    reached = max((int(name.split()[1]) for name in began if name.startswith("round ")), default=0)
    is_over = job.state is State.DONE or AFTER in began
    planned = reached if is_over else max(reached, job.rounds)
    names = [BEFORE, *(f"round {number}" for number in range(1, planned + 1)), AFTER]
    begun = [name for name in names if name in began]
    last = begun[-1] if begun else None
    steps = []
    for name in names:
        if name not in began:
            passed = last is not None and names.index(name) < names.index(last)
            steps.append(Step(name, "done" if passed or job.state is State.DONE else "todo", None))
            continue
        until = next((began[later] for later in names[names.index(name) + 1 :] if later in began), end)
        is_now = name == last and job.state in RUNNING
        steps.append(Step(name, "now" if is_now else "done", max(0.0, until - began[name])))
    return steps


def _step_of(entry: Entry) -> str:
    number, stage = int(entry.content.get("round") or 0), str(entry.content["stage"])
    if number:
        return f"round {number}"
    return BEFORE if stage in _BEFORE else AFTER
