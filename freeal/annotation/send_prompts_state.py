"""The prompts of one `ask`, and what became of them, while it is under way and when it is over."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from freeal.errors import BudgetReachedError, LlmError
from freeal.llm.protocols import OnAnswered
from freeal.types import Prompt, Reply, Status

T = TypeVar("T")

PROMPTS_KEPT = 1024
"""Of those that are written when they are looked at: as many are sent and judged at about the same time."""


class WrittenPrompts(Mapping[str, Prompt], Generic[T]):
    """Prompts by request key, in the order in which they came, each written when it is looked at: `write` makes it of
    what was added, the same every time. A million prompts with demonstrations of their own would be gigabytes."""

    def __init__(self, write: Callable[[T], Prompt]) -> None:
        self._write = write
        self._found: dict[str, T] = {}
        self._lately = functools.lru_cache(maxsize=PROMPTS_KEPT)(self._written)

    def add(self, key: str, what: T) -> None:
        """One more; the same key again takes its place."""
        self._found[key] = what

    def __getitem__(self, key: str) -> Prompt:
        return self._lately(key)

    def __contains__(self, key: object) -> bool:
        return key in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _written(self, key: str) -> Prompt:
        return self._write(self._found[key])


class OnReply(Protocol):
    """Takes replies as they come; of several to one key the last one counts."""

    def __call__(self, key: str, reply: Reply, *, from_store: bool) -> None:
        """`from_store`: it was there before anything was asked."""


@dataclasses.dataclass(slots=True)
class Asked:
    """What became of each key: a reply, where nobody took it as it came, or the status of a call that gave none."""

    replies: dict[str, Reply] = dataclasses.field(default_factory=dict)
    failures: dict[str, Status] = dataclasses.field(default_factory=dict)
    from_store: set[str] = dataclasses.field(default_factory=set)
    """Whose replies, of those kept here, were there before anything was asked."""
    budget_error: BudgetReachedError | None = None
    """Why some were not sent, where money is the reason."""

    def keep(self, key: str, reply: Reply, *, from_store: bool) -> None:
        """An `OnReply` for those who want them all."""
        self.replies[key] = reply
        if from_store:
            self.from_store.add(key)


@dataclasses.dataclass(slots=True)
class Run:
    """One `ask` under way: what is to be sent, and what came of what was."""

    prompts: Mapping[str, Prompt]
    on_answered: OnAnswered
    on_reply: OnReply
    asked: Asked
    waiting: collections.deque[str] = dataclasses.field(default_factory=collections.deque)
    """Keys that are to be asked in calls, or not yet given to batches."""
    last_failure: LlmError | None = None
    fatal: LlmError | None = None
    budget_error: BudgetReachedError | None = None
    cut_off: set[str] = dataclasses.field(default_factory=set)
    """Answered, but not to the end; waiting to be asked again with more room."""
