"""Every error this package raises on purpose.

FreealError
├── ConfigError            settings, spec or credentials are wrong: nothing was started      (exit 78)
│   ├── SpecError          the sidecar YAML, or the spec a library user built
│   └── CredentialsError   no key, or one that cannot be read
├── InputError             the CSV cannot be used: names file, line and column
│   └── OutputBusyError    another process writes the same output: try again later
├── LlmError               the language model edge; the class says what to do about it
│   ├── TransientError     try again: connection, timeout, 408, 409, 429 with retry-after, 5xx, 529
│   ├── SpendCapError      the provider's spend limit: stop the lane, try again much later
│   ├── RowRejectedError   this one request is bad (400, 413, 422): the row fails, the others go on
│   ├── AccountError       key, permission or model name is wrong (401, 403, 404): stop
│   └── UnusableAnswersError  one answer after the other is cut off or empty: stop
├── BudgetReachedError     our own cap: finish with what is there                             (exit 3)
├── StoreBusyError         somebody else holds the answer store: try again later
├── TrainingError          the student could not be trained on these labels
├── DeviceError            the GPU failed: a fresh process may have better luck
├── ExecutorError          a cluster lost its workers time and again, or cannot do the work
└── ModelFolderError       a published model cannot be used
    ├── CorruptModelError  something is missing or damaged
    └── NewerFormatError   written by a later version of this software

Nothing here imports anything of ours. `str(error)` is prose for the user: what is wrong, where, and what to do.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Literal, Self

Trouble = Literal["rate_limit", "queue_full", "unavailable", "lost_reply", "failed"]
"""Kinds of `TransientError`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The place in a user's file an error speaks of. Lines count from 1 and include the header."""

    file: str | os.PathLike[str] | None = None
    line: int | None = None
    column: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            parts.append(os.fspath(self.file))
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.column is not None:
            parts.append(f"column {self.column!r}")
        if self.key is not None:
            parts.append(f"key {self.key!r}")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, str | int]:
        """The known parts, ready for error.json."""
        known = {"file": self.file, "line": self.line, "column": self.column, "key": self.key}
        return {
            name: value if isinstance(value, int) else str(value) for name, value in known.items() if value is not None
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, and what the user can do about it."""

    problem: str
    where: Where = dataclasses.field(default_factory=Where)
    hint: str | None = None

    def __str__(self) -> str:
        place = str(self.where)
        text = f"{place}: {self.problem}" if place else self.problem
        return f"{text} ({self.hint})" if self.hint else text

    def as_dict(self) -> dict[str, Any]:
        """Ready for error.json."""
        return {"problem": self.problem, "where": self.where.as_dict(), "hint": self.hint}


class FreealError(Exception):
    """Base of all: `problem` says what is wrong, `where` the place, `hint` what the user can do.

    `problems` are all of them, in order, where several were found at once, else empty; then `where` and `hint` are
    those of the first, which `problem` names.
    """

    def __init__(self, problem: str, *, where: Where | None = None, hint: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where or Where()
        self.hint = hint
        self.problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """One error for all that was found, one problem at least: a single one is an error like any other."""
        first = problems[0]
        if len(problems) == 1:
            return cls(first.problem, where=first.where, hint=first.hint)
        error = cls(f"{len(problems)} problems; the first: {first.problem}", where=first.where, hint=first.hint)
        error.problems = tuple(problems)
        return error

    @property
    def parts(self) -> tuple[Problem, ...]:
        """All that is wrong, one problem at least."""
        return self.problems or (Problem(self.problem, self.where, self.hint),)

    def __str__(self) -> str:
        if not self.problems:
            return str(self.parts[0])
        numbered = (f"\n  {number}. {problem}" for number, problem in enumerate(self.problems, start=1))
        return f"{len(self.problems)} problems:{''.join(numbered)}"


class ConfigError(FreealError):
    """Settings are wrong; nothing was started."""


class SpecError(ConfigError):
    """The label spec is wrong."""


class CredentialsError(ConfigError):
    """A key is missing or cannot be read."""


class InputError(FreealError):
    """The CSV cannot be used as it is."""


class LlmError(FreealError):
    """A call to the language model failed.

    `status` is the HTTP status of a server that refused it, and `said` that server's words in full.
    """

    status: int | None = None
    said: str = ""


class TransientError(LlmError):
    """The same request may succeed later; `retry_after_seconds` is the server's own word, if it gave one.

    `trouble` says what kind: `rate_limit` (429: too fast), `queue_full` (429 for a batch, try after try: as many are
    under way as may be), `unavailable` (overloaded or out of reach, for everybody), `lost_reply` (it reached the server
    and its answer did not come back whole: it may have been billed), `failed` (any other). `timed_out`: it took the
    request and said nothing for as long as we wait. `is_outage`: nothing was heard for so long that another try is for
    later.
    """

    def __init__(
        self,
        problem: str,
        *,
        trouble: Trouble = "failed",
        retry_after_seconds: float | None = None,
        timed_out: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(problem, hint=hint)
        self.trouble: Trouble = trouble
        self.timed_out = timed_out
        self.retry_after_seconds = retry_after_seconds
        self.is_outage = False


class SpendCapError(LlmError):
    """The provider refuses to spend more on this account for now."""


class RowRejectedError(LlmError):
    """The provider refuses this one request; others may pass."""


class AccountError(LlmError):
    """Key, permission or model name: no request of this job can succeed."""


class UnusableAnswersError(LlmError):
    """The model is asked and answers, and one answer after the other is cut off or empty."""


class BudgetReachedError(FreealError):
    """The next call could exceed the cap the user set."""


class StoreBusyError(FreealError):
    """Another process holds the answer store, for longer than is worth waiting: nothing is wrong with the job."""


class OutputBusyError(InputError):
    """Another process writes the same output, for longer than is worth waiting: nothing is wrong with the input."""


class TrainingError(FreealError):
    """The student could not be trained on these labels."""


class DeviceError(FreealError):
    """The device the student computes on failed."""


class ExecutorError(FreealError):
    """A cluster lost its workers time and again, or cannot do the work; what is finished is kept."""


class ModelFolderError(FreealError):
    """A published model folder cannot be used."""


class CorruptModelError(ModelFolderError):
    """A file of the model folder is missing or damaged."""


class NewerFormatError(ModelFolderError):
    """The model folder was written by a later version."""
