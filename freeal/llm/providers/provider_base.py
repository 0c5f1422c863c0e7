"""What all models over a network share: limits, retries, a time limit per call, features a server may not know."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable, Mapping, Sequence

import anyio
import anyio.lowlevel

from freeal.errors import LlmError, TransientError
from freeal.llm.limits.pacing_rules import Demand, Ticket
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import OnLost
from freeal.llm.providers.optional_features import Feature, FeatureSearch
from freeal.money.call_ceiling import output_ceiling
from freeal.types import Prompt, PromptStyle, Reply, Usage

_CONNECT_SECONDS = 10.0

OnNotice = Callable[[str], None]
"""Told, in prose, what a person should know of the server."""


def no_notice(message: str) -> None:
    """A listener that does not care."""


class RemoteModel(abc.ABC):
    """A `ChatModel` that answers one prompt per HTTP call.

    `features` are the optional parts of its requests: what a server does not take is found out once
    (freeal/llm/providers/optional_features.py), told to `on_notice` and left out from then on. `cached_input_counts`
    says whether what is read from the prompt cache counts against its rate limits.
    """

    features: Mapping[str, Feature]
    cached_input_counts = True

    def __init__(
        self,
        model: str,
        *,
        concurrency: int,
        timeout_seconds: float,
        retry: Retry,
        limiter: Limiter | None = None,
        on_notice: OnNotice = no_notice,
    ) -> None:
        self._model = model
        self._concurrency = concurrency
        self._timeout_seconds = timeout_seconds
        self._retry = retry
        self._limiter = limiter or Limiter(concurrency, gate=retry.gate)
        self._on_lost: OnLost | None = None
        self._on_notice = on_notice
        self._told_of_limit = False
        self._search = FeatureSearch(self.features, on_notice)
        self._searching = anyio.Lock()

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
        """Most calls at once, half of them waiting: the limiter keeps to the setting.

        The next call is then ready when one ends, and nobody waits for an answer to be stored.
        """
        return 2 * self._concurrency

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply per prompt, in order. Raises the classes of `LlmError`."""
        return [
            await self._retry.call(
                functools.partial(self._attempt_with_features, prompt),
                before_again=functools.partial(self._before_retry, prompt),
            )
            for prompt in prompts
        ]

    def report_lost_to(self, listener: OnLost) -> None:
        """Tell `listener` of each reply that was lost, before its request is sent again."""
        self._on_lost = listener

    def heard(self, headers: Mapping[str, str]) -> None:
        """For `_send`: the headers of an answer, a refusal included, from which the limiter learns."""
        self._limiter.heard(headers)

    def optional_in(self, prompt: Prompt) -> frozenset[str]:  # noqa: ARG002 - for models that tell prompts apart
        """The features that the request for a prompt has unless they are left out."""
        return frozenset(self.features)

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    @abc.abstractmethod
    async def _send(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        """One HTTP call, leaving out the features in `without`. Raises the classes of `LlmError`."""

    @property
    def _connect_seconds(self) -> float:
        """For `_send`: less than a call's whole time, so that an address nobody answers at is told from a slow one."""
        return min(_CONNECT_SECONDS, self._timeout_seconds / 2.0)

    async def _before_retry(self, prompt: Prompt, error: TransientError) -> None:
        if error.trouble == "rate_limit" and not self._told_of_limit:
            self._told_of_limit = True
            self._on_notice(f"the server wants fewer calls, so they are slowed down: {error.problem}")
        if error.trouble == "lost_reply" and self._on_lost is not None:
            await self._on_lost(prompt)

    async def _attempt_with_features(self, prompt: Prompt) -> Reply:
        optional = self.optional_in(prompt)
        while True:
            without = self._search.next_try(optional)
            try:
                reply = await self._call_within_limits(prompt, without)
            except LlmError as error:
                if self._search.learn_from_refusal(error, optional, without):
                    continue
                if not self._search.may_search(error, optional, without):
                    raise
                if (found := await self._attempt_with_fewer_features(prompt, without, error)) is None:
                    continue
                return found
            self._search.answered(optional, without)
            return reply

    async def _attempt_with_fewer_features(
        self, prompt: Prompt, without: frozenset[str], refusal: LlmError
    ) -> Reply | None:
        """The answer to a refused request with less and less in it; None where another call has learned meanwhile.

        Raises the refusal where that does not help.
        """
        optional = self.optional_in(prompt)
        async with self._searching:
            if self._search.next_try(optional) != without:
                return None
            for bare in self._search.bare_forms(optional, without):
                try:
                    reply = await self._call_within_limits(prompt, bare)
                except LlmError as error:
                    if error.status is None or isinstance(error, TransientError) or error.status != refusal.status:
                        raise
                    continue
                self._search.found_by_leaving_out(optional, bare, refusal.said or refusal.problem)
                return reply
        raise refusal

    async def _call_within_limits(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        parts = (prompt.system, prompt.shared, prompt.specific)
        demand = Demand(sum(len(part.encode("utf-8", "replace")) for part in parts), output_ceiling(prompt))
        async with self._limiter.call(demand) as ticket:
            # The shield below would hide a stop from a worker that goes from call to call.
            await anyio.lowlevel.checkpoint_if_cancelled()
            try:
                # A call under way is paid for: a stop waits for its answer, though not for a next attempt.
                with anyio.fail_after(self._timeout_seconds, shield=True):
                    reply = await self._send(prompt, without)
            except TimeoutError as cause:
                raise TransientError(
                    f"no answer within {self._timeout_seconds:g} seconds",
                    trouble="lost_reply",
                    timed_out=True,
                    hint="raise llm.timeout_seconds",
                ) from cause
            self._tell_limiter_of_usage(ticket, reply.usage)
            return reply

    def _tell_limiter_of_usage(self, ticket: Ticket, used: Usage) -> None:
        input_tokens = used.input_tokens if self.cached_input_counts else used.input_tokens - used.cached_tokens
        output_tokens = used.output_tokens
        if not used.input_tokens and not output_tokens:  # a server that does not count
            input_tokens, output_tokens = math.ceil(ticket.input_tokens), math.ceil(ticket.output_tokens)
        self._limiter.answered(ticket, input_tokens=input_tokens, output_tokens=output_tokens)
