"""Log-likelihoods of label names after many prompts, with nothing computed twice.

Everything is one tree of tokens: a trunk that all prompts of a call begin with, one branch per prompt, and on every
branch the labels it is asked about (a trie, so that labels may share their first tokens). The trunk is run once and its
keys and values are kept; branches are packed one behind another into a single sequence, without padding, and each token
sees the trunk and its own ancestors only (freeal/llm/local/branch_attention.py, or an attention mask). So a prompt's
scores do not depend on what it is packed with, and the vocabulary head runs only where a label's next token is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from freeal.compute import device_errors
from freeal.compute.listener import unheard
from freeal.llm.local import branch_attention

Tokens = Sequence[int]
LabelSet = tuple[tuple[int, ...], ...]
"""The tokens of each label one prompt is asked about."""
Trunk = list[tuple[torch.Tensor, torch.Tensor]]
_LENGTH_STEP = 32
"""Packs are filled up to a multiple of it: for each length that it meets, oneDNN compiles its products anew and keeps
them, 16 MB a length of SmolLM2-135M and gigabytes over a job."""
_ATTENTION_KINDS = {"full_attention", "sliding_attention"}


class LabelTrie:
    """The label continuations as a trie. `nodes[i]` is (token, depth from 1) of an inner node; leaves are never run."""

    def __init__(self, labels: Sequence[Tokens]) -> None:
        """The trie for scoring `labels`, each by its tokens. Raises ValueError for a label without any."""
        if not all(labels):
            raise ValueError("a label has no tokens")
        starts = sorted({tuple(label[:end]) for label in labels for end in range(1, len(label))}, key=len)
        place = {start: position for position, start in enumerate(starts)}
        self.nodes = [(start[-1], len(start)) for start in starts]
        self.ancestors = torch.zeros(len(starts), len(starts), dtype=torch.bool)
        for start, position in place.items():
            for end in range(1, len(start) + 1):
                self.ancestors[position, place[start[:end]]] = True
        self.steps = [
            [(place.get(tuple(label[:end]), -1), label[end]) for end in range(len(label))] for label in labels
        ]
        """Per label: (the inner node it is read after, or -1 for the prompt's last token; the token read)."""


@dataclasses.dataclass(frozen=True, slots=True)
class LabelScores:
    """Per prompt `totals` float32 [labels]: log-probability of all tokens of a label; `trunk_tokens`: run only once."""

    totals: list[np.ndarray]
    trunk_tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Branch:
    """What one prompt adds to the trunk, and the labels that are read behind it."""

    tokens: Tokens
    trie: LabelTrie

    @property
    def size(self) -> int:
        return len(self.tokens) + len(self.trie.nodes)


class Scorer:
    """Scores labels with a causal model of transformers that attends by `sdpa`.

    `tokens_per_pass` bounds a packed sequence. A single longer prompt still goes, alone. The model becomes the scorer's
    own: it attends by branches where it can, and below float32 its vocabulary head is replaced by an exact one.
    """

    def __init__(self, model: Any, *, tokens_per_pass: int, on_notice: Callable[[str], None] = unheard) -> None:
        """Label scoring with `model`, `tokens_per_pass` at once. Raises ValueError for layers that cannot be scored
        so."""
        self._model = model
        self._tokens_per_pass = tokens_per_pass
        self._on_notice = on_notice
        config = model.config.get_text_config()
        self._window: int | None = getattr(config, "sliding_window", None)
        self._layer_kinds: set[str] = set(getattr(config, "layer_types", None) or ())
        if strange := sorted(self._layer_kinds - _ATTENTION_KINDS):
            raise ValueError(f"layers of kind {', '.join(strange)} cannot be scored")
        self._heads = int(getattr(config, "num_attention_heads", 0))
        # a window cuts the trunk off at a place of its own for each token: such models are given masks
        windowed = self._window is not None or "sliding_attention" in self._layer_kinds
        self._by_branches = bool(self._heads) and not windowed and branch_attention.use_branch_attention(model)
        self._last_trunk: tuple[tuple[int, ...], Trunk] = ((), [])
        if model.dtype is not torch.float32:
            model.set_output_embeddings(_ExactHead(model.get_output_embeddings()))

    def score_labels(
        self, prompts: Sequence[Tokens], labels: Sequence[LabelSet], *, before_pass: Callable[[], None]
    ) -> LabelScores:
        """Scores in the order of `prompts` (none of them empty), `labels[i]` being those of `prompts[i]`.

        Prompts may have different labels and still share trunk and passes. `before_pass` may raise to stop in between.
        """
        totals = [np.empty(0, dtype=np.float32)] * len(prompts)
        tries = {label_set: LabelTrie(label_set) for label_set in set(labels)}
        with torch.inference_mode():
            trunk_tokens = _common_start(prompts)
            before_pass()
            trunk = self._trunk_of(tuple(prompts[0][:trunk_tokens]))
            branches = [
                _Branch(prompt[trunk_tokens:], tries[label_set])
                for prompt, label_set in zip(prompts, labels, strict=True)
            ]
            # Sorted, so that the order of a call's prompts changes nothing, not even the last bit of a bf16 sum.
            order = sorted(range(len(prompts)), key=lambda at: (len(prompts[at]), tuple(prompts[at]), labels[at]))
            while order:
                pack = self._prompts_of_next_pass(order, branches)
                before_pass()
                try:
                    found = self._run_branches(trunk, trunk_tokens, [branches[index] for index in pack])
                except (RuntimeError, MemoryError) as error:
                    problem = device_errors.released(error)
                else:
                    order = order[len(pack) :]
                    for index, scores in zip(pack, found, strict=True):
                        totals[index] = scores
                    continue
                self._halve_scoring_pass([branches[index].size for index in pack], problem)
        return LabelScores(totals, trunk_tokens)

    def _trunk_of(self, tokens: tuple[int, ...]) -> Trunk:
        """The trunk that label scoring branches off from. The last one is kept, 24 MB of 514 tokens of SmolLM2-135M: a
        set of demonstrations is asked with in several calls, of 256 rows each, of which it was a fifteenth."""
        if not tokens:
            return []
        if self._last_trunk[0] != tokens:
            self._last_trunk = ((), [])  # not both at once
            self._last_trunk = (tokens, self._run_trunk(tokens))
        return self._last_trunk[1]

    def _run_trunk(self, tokens: Tokens) -> Trunk:
        from transformers import DynamicCache

        cache = DynamicCache()
        ids = torch.tensor([tokens], device=self._model.device)
        self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return [(layer.keys, layer.values) for layer in cache.layers]

    def _prompts_of_next_pass(self, order: Sequence[int], branches: Sequence[_Branch]) -> list[int]:
        """The first prompts that go into one pass, at least one."""
        filled = 0
        for count, index in enumerate(order):
            filled += branches[index].size
            if count and filled > self._tokens_per_pass:
                return list(order[:count])
        return list(order)

    def _halve_scoring_pass(self, sizes: Sequence[int], problem: Exception) -> None:
        if len(sizes) == 1 or not device_errors.is_out_of_memory(problem):
            known = device_errors.named_device_error(problem)
            if known is problem:
                raise problem
            raise known from problem
        self._tokens_per_pass = max(1, sum(sizes) // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._on_notice(f"the local model ran out of memory with {sum(sizes)} tokens at once: it goes on with half")

    def _run_branches(self, trunk: Trunk, trunk_tokens: int, branches: list[_Branch]) -> list[np.ndarray]:
        from transformers import DynamicCache

        device = self._model.device
        ids: list[int] = []
        positions: list[int] = []
        read_at: list[int] = []
        for branch in branches:
            last = len(ids) + len(branch.tokens) - 1
            read_at.extend(range(last, last + len(branch.trie.nodes) + 1))
            ids.extend((*branch.tokens, *(token for token, _ in branch.trie.nodes)))
            end = trunk_tokens + len(branch.tokens)
            positions.extend((*range(trunk_tokens, end), *(end + depth - 1 for _, depth in branch.trie.nodes)))
        filling = -len(ids) % _LENGTH_STEP
        ids.extend([0] * filling)
        positions.extend(range(trunk_tokens, trunk_tokens + filling))
        visible = _visible_in_branches(branches)
        told = {"branch_layout": self._layout(visible, trunk_tokens, filling)} if self._by_branches else {}
        logits = self._model(
            input_ids=torch.tensor([ids], device=device),
            attention_mask=self._attention_masks(trunk_tokens, positions, visible),
            position_ids=torch.tensor([positions], device=device),
            past_key_values=DynamicCache(trunk) if trunk else None,
            use_cache=bool(trunk),
            logits_to_keep=torch.tensor(read_at, device=device),
            **told,
        ).logits
        return _label_totals(logits[0].float().log_softmax(-1), branches)

    def _layout(self, visible: Sequence[torch.Tensor], trunk_tokens: int, filling: int) -> branch_attention.Layout:
        return branch_attention.layout_of(
            visible, trunk_tokens=trunk_tokens, filling=filling, heads=self._heads, device=self._model.device
        )

    def _attention_masks(
        self, trunk_tokens: int, positions: list[int], visible: Sequence[torch.Tensor]
    ) -> torch.Tensor | dict[str, torch.Tensor]:
        filling = len(positions) - sum(map(len, visible))
        joined: torch.Tensor = torch.block_diag(*visible, torch.eye(filling, dtype=torch.bool))  # type: ignore[no-untyped-call]
        seen = torch.cat([torch.ones(len(positions), trunk_tokens, dtype=torch.bool), joined], dim=1)
        at = torch.tensor(positions)
        distance = at[:, None] - torch.cat([torch.arange(trunk_tokens), at])
        near = seen if self._window is None else seen & (distance < self._window)
        if not self._layer_kinds:
            return self._additive(near)
        by_kind = {"full_attention": seen, "sliding_attention": near}
        return {kind: self._additive(by_kind[kind]) for kind in self._layer_kinds}

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(seen.shape, dtype=self._model.dtype).masked_fill_(~seen, float("-inf"))
        return mask[None, None].to(self._model.device)


class _ExactHead(torch.nn.Module):
    """A vocabulary head in float32 under a network in bfloat16.

    A logit near 16 has steps of an eighth in bfloat16: half of all rows would tie or nearly tie between two labels.
    """

    def __init__(self, head: torch.nn.Linear) -> None:
        """The head in float32, for exact label scores."""
        super().__init__()
        self.weight = torch.nn.Parameter(head.weight.detach().float(), requires_grad=False)
        bias: torch.Tensor | None = getattr(head, "bias", None)
        self.bias = None if bias is None else torch.nn.Parameter(bias.detach().float(), requires_grad=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(hidden.float(), self.weight, self.bias)


def _common_start(prompts: Sequence[Tokens]) -> int:
    """How many tokens all prompts share, leaving each at least its last one."""
    first, last = min(prompts, key=tuple), max(prompts, key=tuple)
    most = min(len(prompt) for prompt in prompts) - 1
    for position in range(most):
        if first[position] != last[position]:
            return position
    return most


def _visible_in_branches(branches: Sequence[_Branch]) -> list[torch.Tensor]:
    """What each branch's tokens see of it, bool [size, size]."""
    blocks = []
    for branch in branches:
        length = len(branch.tokens)
        block = torch.ones(branch.size, branch.size, dtype=torch.bool).tril_()
        block[length:, length:] = branch.trie.ancestors
        blocks.append(block)
    return blocks


def _label_totals(log_probs: torch.Tensor, branches: Sequence[_Branch]) -> list[np.ndarray]:
    """Per branch the sums [labels] over each label's steps; `log_probs` holds its last token's and its nodes' rows."""
    rows: list[int] = []
    tokens: list[int] = []
    sizes: list[list[int]] = []
    first = 0
    for branch in branches:
        rows.extend(first + node + 1 for steps in branch.trie.steps for node, _ in steps)
        tokens.extend(token for steps in branch.trie.steps for _, token in steps)
        sizes.append([len(steps) for steps in branch.trie.steps])
        first += len(branch.trie.nodes) + 1
    at = torch.tensor([rows, tokens], device=log_probs.device)
    read = log_probs[at[0], at[1]].cpu().numpy()
    starts = np.cumsum([0, *(size for branch_sizes in sizes for size in branch_sizes)])[:-1]
    sums = np.add.reduceat(read, starts)
    return np.split(sums, np.cumsum([len(branch_sizes) for branch_sizes in sizes])[:-1])
