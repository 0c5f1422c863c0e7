"""Fakes we ship and use ourselves: for tests of this project and of whoever builds on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import anyio.lowlevel

from freeal.types import Prompt, PromptStyle, Reply, Usage

_FRAMED = re.compile(r"<text>(.*?)</text>", re.DOTALL)

Respond = Callable[[Prompt], Reply | str | Exception]


class ScriptedModel:
    """A `ChatModel` that answers by a function of the prompt and `remembers` what it was asked, unless told otherwise.

    A string stands for the written answer, an exception is raised for the whole call. `text_of(prompt.specific)` is the
    row a chat prompt asks about.
    """

    def __init__(
        self,
        respond: Respond,
        *,
        provider: str = "scripted",
        model: str = "script-1",
        style: PromptStyle = "chat",
        rows_per_call: int = 1,
        concurrency: int = 4,
        remembers: bool = True,
    ) -> None:
        self.provider = provider
        self.model = model
        self.style: PromptStyle = style
        self.writes = True
        self.rows_per_call = rows_per_call
        self.concurrency = concurrency
        self.fingerprint = f"{provider}/{model}"
        self.calls: list[tuple[Prompt, ...]] = []
        self._remembers = remembers
        self.most_under_way = 0
        self.respond = respond
        self.under_way = 0

    @property
    def prompts(self) -> list[Prompt]:
        """Every prompt asked, in order."""
        return [prompt for call in self.calls for prompt in call]

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply per prompt, in order."""
        if self._remembers:
            self.calls.append(tuple(prompts))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await anyio.lowlevel.checkpoint()
            return [self._reply(prompt) for prompt in prompts]
        finally:
            self.under_way -= 1

    async def aclose(self) -> None:
        """Nothing to release."""

    def _reply(self, prompt: Prompt) -> Reply:
        response = self.respond(prompt)
        if isinstance(response, Exception):
            raise response
        if isinstance(response, Reply):
            return response
        asked = len(prompt.system) + len(prompt.shared) + len(prompt.specific)
        usage = Usage(calls=1, input_tokens=asked // 4, output_tokens=1 + len(response) // 4)
        return Reply(text=response, usage=usage)


def text_of(prompt: str) -> str:
    """The row a chat prompt asks about: what stands in its last text tags; empty when there are none."""
    framed = _FRAMED.findall(prompt)
    return str(framed[-1]) if framed else ""
