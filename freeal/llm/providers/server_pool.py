"""Several servers that run the same model, as one: each call goes to the one with the most room.

Each server has a limiter of its own, so one that is slow, asks for a pause or is gone holds up nobody but itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import anyio

from freeal.errors import AccountError, TransientError
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import OnLost
from freeal.llm.providers.provider_base import OnNotice, RemoteModel, no_notice
from freeal.types import Prompt, PromptStyle, Reply

REST_SECONDS = 60.0
"""How long a server that failed is left alone while others answer."""


class _Server:
    """A model behind one address, what is under way there, and until when it rests."""

    def __init__(self, model: RemoteModel, limiter: Limiter, address: str) -> None:
        self.model, self.limiter, self.address = model, limiter, address
        self.under_way = 0
        self.rests_until = float("-inf")

    def load(self, now: float) -> tuple[bool, float]:
        """What is least where a call should go: whether it is to be spared, and the share of its calls under way."""
        is_spared = self.rests_until > now or self.limiter.gate.closed
        return is_spared, self.under_way / self.model.concurrency


class ServerPool:
    """A `ChatModel` over several; the first of them gives its name to what is stored."""

    def __init__(self, models: Sequence[tuple[RemoteModel, Limiter, str]], *, on_notice: OnNotice = no_notice) -> None:
        """Model, limiter and address (for the user) of each; two at least."""
        self._servers = [_Server(*one) for one in models]
        self._on_notice = on_notice
        self._turns = itertools.count()

    @property
    def provider(self) -> str:
        """That of all."""
        return self._servers[0].model.provider

    @property
    def model(self) -> str:
        """The model that all of them run."""
        return self._servers[0].model.model

    @property
    def style(self) -> PromptStyle:
        """That of all."""
        return self._servers[0].model.style

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
        """Of all together."""
        return sum(server.model.concurrency for server in self._servers)

    @property
    def fingerprint(self) -> str:
        """That of the first: answers are the same whichever server gave them, and stay when one is added."""
        return self._servers[0].model.fingerprint

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply per prompt, in order. A server that fails, after its own tries, is left alone for a while and the
        others are asked; raises the last one's `LlmError` where none is left."""
        return [await self._answer_by_freest_server(prompt) for prompt in prompts]

    def report_lost_to(self, listener: OnLost) -> None:
        """Tell `listener` of each reply that was lost, before its request is sent again."""
        for server in self._servers:
            server.model.report_lost_to(listener)

    async def aclose(self) -> None:
        """Close the connections."""
        for server in self._servers:
            await server.model.aclose()

    async def _answer_by_freest_server(self, prompt: Prompt) -> Reply:
        left = list(self._servers)
        while True:
            server = self._freest(left)
            server.under_way += 1
            try:
                return (await server.model.answer([prompt]))[0]
            except (TransientError, AccountError) as error:
                left.remove(server)
                if not left:
                    raise
                self._rest(server, error)
            finally:
                server.under_way -= 1

    def _freest(self, servers: list[_Server]) -> _Server:
        """The one with the most room; those with as much take turns."""
        now = anyio.current_time()
        first = next(self._turns) % len(servers)
        return min(servers[first:] + servers[:first], key=lambda server: server.load(now))

    def _rest(self, server: _Server, error: Exception) -> None:
        now = anyio.current_time()
        if server.rests_until <= now:
            self._on_notice(f"{server.address} fails, so the other servers are asked: {error}")
        server.rests_until = now + REST_SECONDS
