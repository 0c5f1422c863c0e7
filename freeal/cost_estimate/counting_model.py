"""Stand-ins for an estimate: a language model that counts what it is asked, and a trainer that ends the first round."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import anyio.lowlevel

from freeal.annotation.send_prompts import CACHEABLE_CHARACTERS
from freeal.cost_estimate.token_count_range import NOTHING, Span, token_span
from freeal.llm.protocols import ChatModel
from freeal.types import Prompt, PromptStyle, Reply

if TYPE_CHECKING:
    import numpy as np

CALL_TOKENS = Span(10, 300)
"""What a provider puts around a prompt: roles, the answer's schema and its explanation."""

LABEL_ANSWER_TOKENS = Span(8, 60)

RANKED_TOKENS = Span(12, 60)
"""What the probabilities of several labels add to an answer (loop.candidates: ranked)."""

THINKING_TOKENS = Span(0, 300)
"""What a model that may think first, though told to make little of it, writes before a label."""

WRITTEN_SHARE = Span(0.5, 1.5)
"""Length of the texts a model writes, compared with those it is shown."""

_MOST_WRITTEN = 8
_ROWS_PER_CALL = 500


class FirstRoundOverError(Exception):
    """All that the first round asks was asked."""


@dataclasses.dataclass(slots=True)
class Tally:
    """What was asked so far. `cacheable_tokens` are the part of the input that a provider's cache can hold."""

    calls: int = 0
    input_tokens: Span = NOTHING
    cacheable_tokens: Span = NOTHING
    output_tokens: Span = NOTHING


class CountingModel:
    """A `ChatModel` that passes for `model`, counts its prompts and answers what lets the loop go on.

    `first` is the prompt of the first row as far as it is known; the one really asked is kept in `first_prompt`.
    `texts` stand in for demonstrations the model would write.
    """

    def __init__(self, model: ChatModel, *, first: Prompt, texts: Sequence[str]) -> None:
        self.provider = model.provider
        self.model = model.model
        self.style: PromptStyle = model.style
        self.writes = model.writes
        self.fingerprint = model.fingerprint
        self.rows_per_call = _ROWS_PER_CALL
        self.concurrency = 1
        self.tally = Tally()
        self.first_prompt = first
        self.answer_tokens = LABEL_ANSWER_TOKENS if "haiku" in model.model else LABEL_ANSWER_TOKENS + THINKING_TOKENS
        self.stands_in = False
        self._first_row = first.specific.strip()
        self._stand_ins = itertools.cycle(texts)
        self._written = itertools.count(1)
        self._shared: tuple[str, str] | None = None
        self._shared_tokens = NOTHING

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply per prompt, in order: some label, or some texts."""
        await anyio.lowlevel.checkpoint()
        return [self._written_stand_in(prompt) if not prompt.labels else self._label(prompt) for prompt in prompts]

    async def aclose(self) -> None:
        """Nothing to release."""

    def input_tokens(self, prompt: Prompt) -> Span:
        """Tokens of one request."""
        return CALL_TOKENS + self._tokens_before(prompt) + token_span(prompt.specific)

    def _label(self, prompt: Prompt) -> Reply:
        self._count_tokens_of(prompt, self.answer_tokens + (RANKED_TOKENS if prompt.ranked else NOTHING))
        if prompt.specific.endswith(self._first_row):
            self.first_prompt = prompt
        return Reply(json.dumps({"label": prompt.labels[0], "confidence": 0.5}))

    def _written_stand_in(self, prompt: Prompt) -> Reply:
        self.stands_in = True
        texts = [f"{next(self._stand_ins)} ({next(self._written)})" for _ in range(_MOST_WRITTEN)]
        reply = json.dumps({"texts": texts}, ensure_ascii=False)
        self._count_tokens_of(prompt, token_span(reply) * WRITTEN_SHARE)
        return Reply(reply)

    def _count_tokens_of(self, prompt: Prompt, output_tokens: Span) -> None:
        tally = self.tally
        tally.calls += 1
        tally.input_tokens += self.input_tokens(prompt)
        tally.output_tokens += output_tokens
        if len(prompt.system) + len(prompt.shared) >= CACHEABLE_CHARACTERS:
            tally.cacheable_tokens += self._tokens_before(prompt)

    def _tokens_before(self, prompt: Prompt) -> Span:
        """Tokens of the part that is the same for many prompts, counted once."""
        before = (prompt.system, prompt.shared)
        if before != self._shared:
            self._shared, self._shared_tokens = before, token_span(prompt.system) + token_span(prompt.shared)
        return self._shared_tokens


class NoTrainer:
    """A `Trainer` that trains nothing: it ends the first round by raising `FirstRoundOverError`."""

    @property
    def description(self) -> dict[str, str]:
        """Of nothing."""
        return {"model": "", "mode": "", "device": ""}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings for a run that only counts: directions drawn by chance, float32 [n, 8]; what is chosen by them has
        the size of the real choice."""
        import numpy as np

        drawn = np.random.default_rng(0).normal(size=(len(texts), 8)).astype(np.float32)
        found: np.ndarray = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return found

    def fit(self, *_: object, **__: object) -> NoReturn:
        """Never returns."""
        raise FirstRoundOverError
