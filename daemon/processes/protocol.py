"""What the daemon and its processes say to each other: one JSON object per line.

Up, on the child's stdout: `EventMessage` any number of times, then one `Result`, `Failure` or `Stopped` per request.
Down, on its stdin: requests, one per line, and after a training job's any number of `Share`; the end of the stream
means stop, so no child outlives its daemon.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from freeal.errors import FreealError, Where
from freeal.events import BatchProgress, Event, Notice, Progress, RoundFinished, Spend


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
    """The request failed. `kind` is the class of the error, `internal` for one nobody expected."""

    kind: str
    problem: str
    where: dict[str, str | int] = dataclasses.field(default_factory=dict)
    hint: str | None = None

    @classmethod
    def of(cls, error: FreealError) -> Failure:
        """An error of ours as it travels, and as error.json shows it."""
        return cls(type(error).__name__, error.problem, error.where.as_dict(), error.hint)

    def as_error(self) -> FreealError:
        """As an error again, for showing; its class is in `kind`."""
        known: dict[str, Any] = dict(self.where)
        return FreealError(self.problem, where=Where(**known), hint=self.hint)


@dataclasses.dataclass(frozen=True, slots=True)
class Stopped:
    """The child stopped because it was told to; its work can be resumed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """From now on the child may use this part (above 0, at most 1) of its provider's limits."""

    share: float


Answer = Result | Failure | Stopped
Up = EventMessage | Answer

INTERNAL = "internal"

_ANSWERS: dict[str, type[Result | Failure | Stopped]] = {"result": Result, "failure": Failure, "stopped": Stopped}
_EVENTS: dict[str, type[Event]] = {
    "progress": Progress,
    "spend": Spend,
    "batch_progress": BatchProgress,
    "round_finished": RoundFinished,
    "notice": Notice,
}


def encode(message: Up) -> str:
    """The message as one line, without its newline."""
    body: EventMessage | Answer | Event = message.event if isinstance(message, EventMessage) else message
    known = _EVENTS if isinstance(message, EventMessage) else _ANSWERS
    name = next(name for name, kind in known.items() if kind is type(body))
    return json.dumps({"type": name, **dataclasses.asdict(body)}, ensure_ascii=True)


def encode_share(message: Share) -> str:
    """The message as one line, without its newline."""
    return json.dumps({"type": "share", **dataclasses.asdict(message)})


def decode_share(line: str) -> Share | None:
    """A line from the daemon beside the request, or None for one that is no message of ours."""
    try:
        fields = json.loads(line)
        if fields["type"] == "share" and 0.0 < float(fields["share"]) <= 1.0:
            return Share(float(fields["share"]))
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
