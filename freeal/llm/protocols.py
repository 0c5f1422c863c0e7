"""The contract between the loop and any language model."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

from freeal.errors import BudgetReachedError, LlmError
from freeal.types import Prompt, PromptStyle, Reply, Status

OnLost = Callable[[Prompt], Awaitable[None]]
"""Told of a prompt whose reply was lost, before it is sent again; a `BudgetReachedError` of it prevents that."""

OnAnswered = Callable[[Sequence[str]], None]
"""Called with request keys as they are done, answered or failed."""

TryLive = Callable[[str], Awaitable[LlmError | None]]
"""Asks the request of a key live; why there is no answer, None when there is one. Raises what ends the whole job."""


class ChatModel(Protocol):
    """A language model that answers prompts.

    Implementations are free to batch: `annotate` hands over up to `rows_per_call` prompts at once and runs up to
    `concurrency` calls side by side. They raise the classes of `freeal.errors.LlmError` only, after their own retries;
    a reply that makes no sense is not an error but a `Reply` for `freeal.annotation.reply_parser` to judge.
    """

    @property
    def provider(self) -> str:
        """`anthropic`, `openai`, `local` or a test's own name."""

    @property
    def model(self) -> str:
        """The model's identifier, as it goes into the run record."""

    @property
    def style(self) -> PromptStyle:
        """The form of prompt this model answers best."""

    @property
    def writes(self) -> bool:
        """Whether it can write demonstrations of its own (prompts without labels)."""

    @property
    def rows_per_call(self) -> int:
        """Most prompts one `answer` takes: 1 over a network, many for a model in memory."""

    @property
    def concurrency(self) -> int:
        """Most `answer` calls under way at once."""

    @property
    def fingerprint(self) -> str:
        """Everything beside the prompt that changes an answer (model, revision, decoding, schema): part of its key."""

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply per prompt, in order."""

    async def aclose(self) -> None:
        """Release connections and memory."""


@runtime_checkable
class LosesReplies(Protocol):
    """A model whose replies may be lost on the way although they are billed, and that then asks again by itself."""

    def report_lost_to(self, listener: OnLost) -> None:
        """Tell `listener` of each lost reply, before its request is sent again."""


@runtime_checkable
class ReleasesMemory(Protocol):
    """A model in this machine's memory that others need while it is not asked."""

    async def release_memory(self) -> None:
        """Let go of the weights until the next `answer`, which takes them again by itself."""


@runtime_checkable
class RunsOnCluster(Protocol):
    """A model that is not in this machine's memory alone."""

    @property
    def engine(self) -> Literal["ray"]:
        """What it runs on."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchOrder:
    """What a `BatchSender` is to have answered. It holds the keys of all, and the prompts of one batch at most."""

    keys: Sequence[str]
    prompt: Callable[[str], Prompt]
    """Writes the prompt of a key, as it is to be asked by now; may be called several times for one."""
    on_reply: Callable[[str, Reply], None]
    """Takes the reply to a key as it comes, once it is in the answer store."""
    on_answered: OnAnswered
    try_live: TryLive


@dataclasses.dataclass(slots=True)
class Sent:
    """What became of an order, by request key, beside the replies."""

    failures: dict[str, Status] = dataclasses.field(default_factory=dict)
    left: list[str] = dataclasses.field(default_factory=list)
    """Not sent: too few for a batch, or beyond the budget."""
    budget_error: BudgetReachedError | None = None
    """Why some are left, where they must not be sent live either."""
    last_failure: LlmError | None = None


class BatchSender(Protocol):
    """Sends many prompts at once, for less money and with more patience."""

    async def send(self, order: BatchOrder) -> Sent:
        """Have answered in batches what can be. `try_live` asks one key live, hands its reply on by itself, and gives
        the error where there is none.

        Raises `LlmError` where no request can succeed; what was submitted is found again by the next `send`.
        """
