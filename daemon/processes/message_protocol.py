"""What the daemon and its processes say to each other: one JSON object per line.

Up, on the child's stdout: `EventMessage` and `Turn` any number of times, then one `Result`, `Failure` or `Stopped` per
request. Down, on its stdin: requests, one per line, and after a training job's any number of `Share` and `Grant`; the
end of the stream means stop, so no child outlives its daemon.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from daemon.errors import AlreadyRunningError, DiskError, ResourceError
from daemon.host.fault_guard import Fault
from freeal.errors import FreealError, Problem, Where
from freeal.events import BatchProgress, Event, Notice, Progress, RoundFinished, Spend, Waiting


@dataclasses.dataclass(frozen=True, slots=True)
class EventMessage:
    """The library said something about a job under way."""

    event: Event


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The request is done."""

    content: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """The request failed. `kind` is the class of the error, `internal` for one nobody expected.

    `problems` are all of them (`problem`, `where`, `hint`) where several were found at once, else empty.
    """

    kind: str
    problem: str
    where: dict[str, str | int] = dataclasses.field(default_factory=dict)
    hint: str | None = None
    problems: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, error: FreealError) -> Failure:
        """An error of ours as it travels, and as error.json shows it."""
        problems = [one.as_dict() for one in error.problems]
        return cls(type(error).__name__, error.problem, error.where.as_dict(), error.hint, problems)

    @classmethod
    def of_fault(cls, fault: Fault) -> Failure:
        """What ended a unit of work of the daemon's own."""
        return dataclasses.replace(cls.of(fault.error), kind=fault.kind)

    @property
    def passes(self) -> bool:
        """Whether the machine lacked something for a while, so that another try later may do."""
        return self.kind in {DiskError.__name__, ResourceError.__name__, AlreadyRunningError.__name__}

    def as_error(self) -> FreealError:
        """As an error again, for showing; its class is in `kind`."""
        several = self.problems or [{"problem": self.problem, "where": self.where, "hint": self.hint}]
        return FreealError.of([Problem(one["problem"], Where(**one["where"]), one["hint"]) for one in several])


@dataclasses.dataclass(frozen=True, slots=True)
class Stopped:
    """The child stopped because it was told to; its work can be resumed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """From now on the child may use this part (above 0, at most 1) of its provider's limits."""

    share: float


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """The child wants the device for a piece of work, or (not `wanted`) no longer does. Numbers rise."""

    number: int
    wanted: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """The device is the child's until it says that turn `number` is over, or ends."""

    number: int


Answer = Result | Failure | Stopped
Up = EventMessage | Turn | Answer
Down = Share | Grant

_ANSWERS: dict[str, type[Turn | Answer]] = {"result": Result, "failure": Failure, "stopped": Stopped, "turn": Turn}
_EVENTS: dict[str, type[Event]] = {
    "progress": Progress,
    "spend": Spend,
    "batch_progress": BatchProgress,
    "waiting": Waiting,
    "round_finished": RoundFinished,
    "notice": Notice,
}


def encode(message: Up) -> str:
    """The message as one line, without its newline."""
    body: Turn | Answer | Event = message.event if isinstance(message, EventMessage) else message
    known = _EVENTS if isinstance(message, EventMessage) else _ANSWERS
    name = next(name for name, kind in known.items() if kind is type(body))
    return json.dumps({"type": name, **dataclasses.asdict(body)}, ensure_ascii=True)


def encode_down(message: Down) -> str:
    """The message as one line, without its newline."""
    return json.dumps({"type": "share" if isinstance(message, Share) else "grant", **dataclasses.asdict(message)})


def decode_down(line: str) -> Down | None:
    """A line from the daemon beside the request, or None for one that is no message of ours."""
    try:
        fields = json.loads(line)
        if fields["type"] == "share" and 0.0 < float(fields["share"]) <= 1.0:
            return Share(float(fields["share"]))
        if fields["type"] == "grant":
            return Grant(int(fields["number"]))
    except (ValueError, KeyError, TypeError):
        return None
    return None


def decode(line: str) -> Up | None:
    """A line from a child, or None for one that is no message of ours."""
    try:
        fields = json.loads(line)
        name = fields.pop("type")
        if kind := _EVENTS.get(name):
            return EventMessage(kind(**fields))
        return _ANSWERS[name](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
