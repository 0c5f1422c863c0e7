"""The contract between the loop and any language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from freeal.types import Prompt, PromptStyle, Reply


class ChatModel(Protocol):
    """A language model that answers prompts.

    Implementations are free to batch: `annotate` hands over up to `rows_per_call` prompts at once and runs up to
    `concurrency` calls side by side. They raise the classes of `freeal.errors.LlmError` only, after their own retries;
    a reply that makes no sense is not an error but a `Reply` for `freeal.answers` to judge.
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
