"""What all models over a network share: retries, a time limit per call, and request features a server may not know."""

from __future__ import annotations

import abc
import functools
import re
from collections.abc import Mapping, Sequence

import anyio
import anyio.lowlevel

from freeal.errors import RowRejectedError, TransientError
from freeal.llm.retry import Retry
from freeal.types import Prompt, PromptStyle, Reply


class RemoteModel(abc.ABC):
    """A `ChatModel` that answers one prompt per HTTP call.

    `features` maps an optional part of the request to the words a server uses to refuse it: a 400 that names one drops
    that part for good and asks again, so that an older model costs one refused call and not every row.
    """

    features: Mapping[str, re.Pattern[str]]

    def __init__(self, model: str, *, concurrency: int, timeout_seconds: float, retry: Retry) -> None:
        self._model = model
        self._concurrency = concurrency
        self._timeout_seconds = timeout_seconds
        self._retry = retry
        self._refused_features: set[str] = set()

    @property
    @abc.abstractmethod
    def provider(self) -> str:
        """The provider's name in the settings."""

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Everything beside the prompt that changes an answer."""

    @property
    def model(self) -> str:
        """The model's identifier."""
        return self._model

    @property
    def style(self) -> PromptStyle:
        """Network models follow instructions."""
        return "chat"

    @property
    def writes(self) -> bool:
        """They write demonstrations."""
        return True

    @property
    def rows_per_call(self) -> int:
        """One prompt per call."""
        return 1

    @property
    def concurrency(self) -> int:
        """Most calls under way at once."""
        return self._concurrency

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply per prompt, in order. Raises the classes of `LlmError`."""
        return [await self._retry.call(functools.partial(self._attempt, prompt)) for prompt in prompts]

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    @abc.abstractmethod
    async def _send(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        """One HTTP call, leaving out the features in `without`. Raises the classes of `LlmError`."""

    async def _attempt(self, prompt: Prompt) -> Reply:
        while True:
            # The shield below would hide a stop from a worker that goes from call to call.
            await anyio.lowlevel.checkpoint_if_cancelled()
            without = frozenset(self._refused_features)
            try:
                # A call under way is paid for: a stop waits for its answer, though not for a next attempt.
                with anyio.fail_after(self._timeout_seconds, shield=True):
                    return await self._send(prompt, without)
            except TimeoutError as cause:
                raise TransientError(
                    f"no answer within {self._timeout_seconds:g} seconds", hint="raise llm.timeout_seconds"
                ) from cause
            except RowRejectedError as error:
                refused = {name for name, words in self.features.items() if words.search(error.problem)} - without
                if not refused:
                    raise
                self._refused_features |= refused
