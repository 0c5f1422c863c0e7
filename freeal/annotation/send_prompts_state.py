"""What became of the prompts of one `ask`, while it is under way and when it is over."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

from freeal.errors import BudgetReachedError, LlmError
from freeal.llm.protocols import OnAnswered
from freeal.types import Prompt, Reply, Status


@dataclasses.dataclass(slots=True)
class Asked:
    """What became of each key: a reply, or the status of a call that gave none."""

    replies: dict[str, Reply] = dataclasses.field(default_factory=dict)
    failures: dict[str, Status] = dataclasses.field(default_factory=dict)
    from_store: set[str] = dataclasses.field(default_factory=set)
    budget_error: BudgetReachedError | None = None
    """Why some were not sent, where money is the reason."""


@dataclasses.dataclass(slots=True)
class Run:
    """One `ask` under way: what is to be sent, and what came of what was."""

    prompts: Mapping[str, Prompt]
    on_answered: OnAnswered
    asked: Asked
    waiting: collections.deque[list[str]]
    last_failure: LlmError | None = None
    fatal: LlmError | None = None
    budget_error: BudgetReachedError | None = None
    cut_off: set[str] = dataclasses.field(default_factory=set)
    """Answered, but not to the end; waiting to be asked again with more room."""
