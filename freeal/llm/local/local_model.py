"""A causal language model in this machine's memory: it scores label names, it does not write."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio.from_thread
import anyio.to_thread

from freeal.compute import device as devices
from freeal.compute import freed_memory
from freeal.compute.device_turn import DeviceTurn, always
from freeal.compute.listener import unheard
from freeal.errors import AccountError, ConfigError, RowRejectedError
from freeal.llm.local.label_scoring import LabelSet, Scorer
from freeal.llm.local.local_model_weights import locate_local_weights, read_local_weights
from freeal.llm.local.prompt_tokens import Fitted, Fitter
from freeal.llm.local.weights_digest import folder_digest
from freeal.settings import StudentSettings
from freeal.types import Prompt, PromptStyle, Reply, Usage

SCORING_VERSION = 3
PROMPT_TOKENS = 2048
ROW_TOKENS = 512
_CPU_TOKENS_PER_PASS = 512
_GPU_TOKENS_PER_PASS = 2048


class LocalModel:
    """Scores every label of a prompt by its log-likelihood; a `freeal.llm.protocols.ChatModel`.

    A score is the mean log-probability per token of " " + label after the prompt: the sum over the label's tokens
    divided by their number, in nats, so that a long name is not unlikely for its length alone. Not calibrated: see
    freeal/llm/local/score_calibration.py.
    """

    provider = "local"
    style: PromptStyle = "completion"
    writes = False
    rows_per_call = 256
    concurrency = 1

    def __init__(
        self,
        name: str,
        network: Any,
        tokenizer: Any,
        *,
        digest: str,
        turn: DeviceTurn = always,
        on_notice: Callable[[str], None] = unheard,
        reread: Callable[[], Any] | None = None,
    ) -> None:
        """`reread` reads `network` again, the same; without it `release_memory` does nothing."""
        config = network.config.get_text_config()
        longest = getattr(config, "max_position_embeddings", None) or PROMPT_TOKENS
        # A quarter of a short context is left to the label names.
        prompt_tokens = min(PROMPT_TOKENS, longest * 3 // 4)
        row_tokens = min(ROW_TOKENS, prompt_tokens // 2)
        on_cpu = network.device.type == "cpu"
        self.model = name
        precision = str(network.dtype).removeprefix("torch.")
        self.precision: Literal["fp32", "bf16"] = "bf16" if precision == "bfloat16" else "fp32"
        self.fingerprint = f"local:{digest}:{precision}:{prompt_tokens}:{row_tokens}:scoring-{SCORING_VERSION}"
        self._fitter = Fitter(tokenizer, prompt_tokens=prompt_tokens, row_tokens=row_tokens)
        tokens_per_pass = _CPU_TOKENS_PER_PASS if on_cpu else _GPU_TOKENS_PER_PASS
        self._scorer_of = functools.partial(Scorer, tokens_per_pass=tokens_per_pass, on_notice=on_notice)
        self._scorer: Scorer | None = self._scorer_of(network)
        self._reread = reread
        self._turn = turn
        self._one_at_a_time = threading.Lock()

    @classmethod
    async def load(
        cls,
        model: str | None,
        *,
        cache: Path,
        device: str,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        turn: DeviceTurn = always,
        on_notice: Callable[[str], None] = unheard,
    ) -> LocalModel:
        """Load a model in a worker thread.

        `model` is a Hugging Face folder, a GGUF file, a hub id (fetched unless `HF_HUB_OFFLINE` says otherwise) or
        None for the packaged SmolLM2-135M-Instruct; GGUF files are converted into `cache` once. Loading and every
        call take their `turn`. Raises `ConfigError` when the model cannot be had.
        """
        make = functools.partial(cls, turn=turn, on_notice=on_notice)
        async with turn():
            return await anyio.to_thread.run_sync(
                functools.partial(cls._load_local_model, make, model, cache, device, precision)
            )

    @staticmethod
    def _load_local_model(
        make: Callable[..., LocalModel],
        model: str | None,
        cache: Path,
        device: str,
        precision: Literal["auto", "fp32", "bf16"],
    ) -> LocalModel:
        compute = devices.choose(StudentSettings(device=device, precision=precision))
        name, source = locate_local_weights(model, cache)
        network, tokenizer = read_local_weights(name, source, compute)
        revision = getattr(network.config, "_commit_hash", None)
        digest = folder_digest(source, cache=cache) if isinstance(source, Path) else f"{name}@{revision}"
        # from a GPU's memory nobody else is kept, and what a hub has under a name may be another model by then
        kept = compute.device.type != "cpu" or not isinstance(source, Path)
        reread = None if kept else lambda: read_local_weights(name, source, compute)[0]
        try:
            return make(name, network, tokenizer, digest=digest, reread=reread)
        except ValueError as cause:
            raise ConfigError(
                f"llm.model {name!r}: {cause}", hint="use a plain decoder such as Llama or Qwen"
            ) from cause

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Scores per prompt, in order; prompts that share their beginning are computed together.

        A cancelled caller gets away after the pass under way. Raises `RowRejectedError` for a prompt without labels.
        """
        if not all(prompt.labels for prompt in prompts):
            raise RowRejectedError("the local model scores labels and cannot write texts")
        async with self._turn():
            return await anyio.to_thread.run_sync(self._answer_prompts, list(prompts))

    async def release_memory(self) -> None:
        """Let go of the weights until the next `answer`, which reads them again: of SmolLM2-135M in float32 two seconds
        of a processor for 650 MB. Of a model on a GPU or from a hub nothing is let go."""
        if self._reread is not None:
            await anyio.to_thread.run_sync(self._release)

    async def aclose(self) -> None:
        """Let go of the weights for good."""
        self._scorer = self._reread = None

    def _release(self) -> None:
        with self._one_at_a_time:
            self._scorer = None
        freed_memory.give_back_freed_memory()

    def _answer_prompts(self, prompts: list[Prompt]) -> list[Reply]:
        groups: dict[tuple[str, str], list[int]] = {}
        for index, prompt in enumerate(prompts):
            groups.setdefault((prompt.system, prompt.shared), []).append(index)
        replies: dict[int, Reply] = {}
        with self._one_at_a_time:
            fitted = self._fitter.fit_prompts(prompts)
            label_sets = self._label_sets(prompts)
            for indices in groups.values():
                members = [(fitted[index], label_sets[index]) for index in indices]
                replies.update(zip(indices, self._score_prompts(members), strict=True))
        freed_memory.give_back_freed_memory()
        return [replies[index] for index in range(len(prompts))]

    def _label_sets(self, prompts: Sequence[Prompt]) -> list[LabelSet]:
        """The tokens of each prompt's labels; every label is tokenized once per ending it follows."""
        endings = [prompt.specific.rpartition("\n")[2] for prompt in prompts]
        known: dict[tuple[str, str], tuple[int, ...]] = {}
        for ending in dict.fromkeys(endings):
            at_this = [prompt for prompt, other in zip(prompts, endings, strict=True) if other == ending]
            names = list(dict.fromkeys(name for prompt in at_this for name in prompt.labels))
            tokens = self._fitter.continuations(names, ending)
            known.update({(ending, name): tuple(one) for name, one in zip(names, tokens, strict=True)})
        return [
            tuple(known[ending, name] for name in prompt.labels)
            for prompt, ending in zip(prompts, endings, strict=True)
        ]

    def _score_prompts(self, members: Sequence[tuple[Fitted, LabelSet]]) -> list[Reply]:
        if self._scorer is None:
            if self._reread is None:
                raise AccountError("the local model was closed")
            self._scorer = self._scorer_of(self._reread())
        scores = self._scorer.score_labels(
            [fitted.tokens for fitted, _ in members],
            [label_set for _, label_set in members],
            before_pass=anyio.from_thread.check_cancelled,
        )
        return [
            Reply(
                scores=tuple((totals / [len(tokens) for tokens in label_set]).tolist()),
                truncated=fitted.truncated,
                usage=Usage(1, len(fitted.tokens), scores.trunk_tokens if position else 0, 0),
            )
            for position, ((fitted, label_set), totals) in enumerate(zip(members, scores.totals, strict=True))
        ]
