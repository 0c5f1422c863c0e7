"""Robust fine-tuning on noisy labels (FreeAL section 3.3, DESIGN.md 4.3).

Plain cross entropy first, while the network still learns what is right; then every epoch splits the pool by loss, learns
from the clean part, mixes it up, and asks only for consistent answers on the rest. Losses live at pool indices: a
batch carries the indices of its texts, never positions of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional

from freeal.selection import clean
from freeal.student import losses as terms
from freeal.student.base import NO_LABEL, OnStep
from freeal.student.batches import Tokens, shuffled
from freeal.student.encoder import Encoder
from freeal.student.probe import cross_entropy
from freeal.student.recipe import Recipe

CLEAN_THRESHOLD = 0.7
"""P(clean) above which a text's label is learned from (the paper's value)."""
WARMUP_SHARE = 0.1
MAX_GRADIENT_NORM = 1.0


@dataclasses.dataclass(frozen=True)
class Pool:
    """What is trained on. `label_ids` int64 [n] with NO_LABEL where unknown; `held_out` bool [n]: labels that training
    must not see (they calibrate), whose texts are used like unlabelled ones."""

    tokens: Tokens
    label_ids: np.ndarray
    held_out: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Indices of the texts with a label, held out or not."""
        return np.flatnonzero(self.label_ids != NO_LABEL)

    @property
    def learned(self) -> np.ndarray:
        """Bool [n]: texts whose label may be learned from."""
        return np.asarray((self.label_ids != NO_LABEL) & ~self.held_out)


def judge(pool: Pool, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses (nan without a label) and P(clean) (0 without a label) of the whole pool, float32 [n], from evaluation-mode
    logits [n, labels]."""
    losses = np.full(len(pool.tokens), np.nan, dtype=np.float32)
    probability = np.zeros(len(pool.tokens), dtype=np.float32)
    known = pool.labelled
    losses[known] = cross_entropy(logits[known], pool.label_ids[known])
    probability[known] = clean.split(losses[known], pool.label_ids[known])
    return losses, probability


class RobustTraining:
    """One run over one pool; `run` trains the encoder in place."""

    def __init__(self, encoder: Encoder, pool: Pool, recipe: Recipe, *, rng: np.random.Generator) -> None:
        self.encoder, self.pool, self.recipe, self.rng = encoder, pool, recipe, rng
        self.lengths = np.fromiter(map(len, pool.tokens), dtype=np.int64, count=len(pool.tokens))
        self.label_ids = torch.from_numpy(pool.label_ids).to(encoder.compute.device)
        self.optimizer = torch.optim.AdamW(
            encoder.model.parameters(), lr=recipe.learning_rate, weight_decay=0.01, fused=True
        )

    def run(self, on_step: OnStep) -> None:
        """Train for all epochs. Steps are planned as if no text were skipped, so the count may jump ahead, never back."""
        plain_steps = self._batch_count(int(self.pool.learned.sum()))
        robust_steps = self._batch_count(len(self._robust_indices(self.pool.learned)))
        plain = self.recipe.warmup_epochs
        total = plain * plain_steps + (self.recipe.epochs - plain) * robust_steps
        done = 0
        for epoch in range(self.recipe.epochs):
            trusted = self.pool.learned if epoch < plain else self._trusted()
            indices = np.flatnonzero(trusted) if epoch < plain else self._robust_indices(trusted)
            weight = 0.0 if epoch < plain else self._ramp(epoch - plain)
            for batch in shuffled(self.lengths, indices, size=self.recipe.batch_size, rng=self.rng):
                self._set_rate(done / total)
                self._step(batch, trusted, weight)
                done += 1
                on_step(done, total)
            done = (epoch + 1) * plain_steps if epoch < plain else total - (self.recipe.epochs - epoch - 1) * robust_steps
        on_step(total, total)

    def _batch_count(self, texts: int) -> int:
        return -(-texts // self.recipe.batch_size)

    def _ramp(self, robust_epoch: int) -> float:
        return (robust_epoch + 1) / (self.recipe.epochs - self.recipe.warmup_epochs)

    def _trusted(self) -> np.ndarray:
        _, logits = self.encoder.score(self.pool.tokens)
        _, probability = judge(self.pool, logits)
        trusted = self.pool.learned & (probability > CLEAN_THRESHOLD)
        return trusted if trusted.any() else self.pool.learned

    def _robust_indices(self, trusted: np.ndarray) -> np.ndarray:
        """The trusted texts, and of the others as many at most: without labels they teach little and cost as much."""
        chosen = np.flatnonzero(trusted)
        if not self.recipe.consistency:
            return chosen
        others = np.flatnonzero(~trusted)
        return np.concatenate([chosen, self.rng.permutation(others)[: max(len(chosen), 1)]])

    def _set_rate(self, progress: float) -> None:
        rise = progress / WARMUP_SHARE
        factor = max(min(rise, (1.0 - progress) / (1.0 - WARMUP_SHARE)), 0.01)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * factor

    def _step(self, batch: np.ndarray, trusted: np.ndarray, weight: float) -> None:
        self.encoder.model.train()
        loss = sum(self._terms(batch, trusted[batch], weight), torch.zeros((), device=self.encoder.compute.device))
        if not loss.requires_grad:
            return
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.encoder.model.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _terms(self, batch: np.ndarray, trusted: np.ndarray, weight: float) -> Iterator[torch.Tensor]:
        """Means over the texts a term speaks of, each weighted by their share of the batch."""
        two_views = weight > 0 and self.recipe.consistency
        ids, mask = self.encoder.pad([self.pool.tokens[index] for index in batch])
        if two_views:
            ids, mask = torch.cat([ids, ids]), torch.cat([mask, terms.drop_tokens(mask, self.rng)])
        features, logits = self.encoder.forward(ids, mask)
        good = torch.from_numpy(np.flatnonzero(trusted)).to(ids.device)
        rest = torch.from_numpy(np.flatnonzero(~trusted)).to(ids.device)
        labels = self.label_ids[torch.from_numpy(batch).to(ids.device)][good]
        share = len(good) / len(batch)
        if len(good):
            yield share * functional.cross_entropy(logits[: len(batch)][good], labels)
        if len(good) > 1 and weight > 0 and self.recipe.mixup:
            yield share * weight * terms.mixup(features[: len(batch)][good], labels, head=self.encoder.head_alone, rng=self.rng)
        if two_views and len(good):
            yield share * weight * functional.cross_entropy(logits[len(batch) :][good], labels)
        if two_views and len(rest):
            yield (1 - share) * weight * terms.consistency(logits[: len(batch)][rest], logits[len(batch) :][rest])
