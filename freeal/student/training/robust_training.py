"""Robust fine-tuning on noisy labels (FreeAL section 3.3, DESIGN.md 4.3).

Plain cross entropy first, then every epoch splits the pool by loss, learns from the clean part, mixes it up, and asks
only for consistent answers on the rest. Losses live at pool indices: a batch carries the indices of its texts, never
positions of its own.

With targets of all voices (freeal/aggregation/label_posterior.py) nothing is split: every labelled text is learned
from, as far as its label is believed.

One departure from the paper, measured: a fine-tuned network has memorised wrong labels of a pool of some hundred texts
before two epochs are over (MR, 600 texts, 26 % wrong: loss tells right from wrong with AUC 0.60). A linear probe's
cross-validated losses (AUC 0.72) never saw the label they judge. So they count half in every split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn import functional

from freeal.compute.device_errors import released
from freeal.compute.listener import OnStep, Steps
from freeal.student.encoder.encoder import Encoder
from freeal.student.encoder.token_batches import shuffled
from freeal.student.training import losses as terms
from freeal.student.training.hyperparameters import Recipe
from freeal.student.training.label_trust import Lesson, Pool, lesson

WARMUP_SHARE = 0.1
MAX_GRADIENT_NORM = 1.0
CONSISTENCY_WEIGHT = 0.25
"""Of the divergence on untrusted texts beside the other terms. At 1, a small encoder confirms its own errors: TREC, 500
texts, 22 % wrong, test accuracy 0.75 against 0.77 (and 0.81 without the term); MR, 600 texts, 0.71 against 0.72."""


class RobustTraining:
    """One run over one pool; `run` trains the encoder in place."""

    def __init__(self, encoder: Encoder, pool: Pool, recipe: Recipe, *, rng: np.random.Generator) -> None:
        self.encoder, self.pool, self.recipe, self.rng = encoder, pool, recipe, rng
        self.lengths = np.fromiter(map(len, pool.tokens), dtype=np.int64, count=len(pool.tokens))
        # word embeddings stay: their dense gradient took a third of the time on a CPU, and accuracy is the same without
        encoder.model.get_input_embeddings().requires_grad_(requires_grad=False)
        self.weights = [weight for weight in encoder.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=recipe.learning_rate, weight_decay=0.01, fused=True)

    def run(self, on_step: OnStep) -> None:
        """Train for all epochs. How many texts an epoch will trust is known when it begins, so steps are planned as
        shares of an epoch: the count only rises, and ends at its total."""
        steps = on_step if isinstance(on_step, Steps) else Steps(on_step)
        total = self.recipe.steps(len(self.pool.tokens))
        for epoch in range(self.recipe.epochs):
            weight = self._ramp(epoch)
            taught = self._lesson(epoch, steps)
            indices = self._with_others(taught.trusted) if weight > 0 else np.flatnonzero(taught.trusted)
            batches = shuffled(self.lengths, indices, size=self.recipe.batch_size, rng=self.rng)
            for number, batch in enumerate(batches):
                self._set_rate((epoch + number / len(batches)) / self.recipe.epochs)
                self._step(batch, taught, weight)
                steps(int(total * (epoch + (number + 1) / len(batches)) / self.recipe.epochs), total)
        steps(total, total)

    def _ramp(self, epoch: int) -> float:
        """Weight of the robust terms: 0 while plain, then rising to 1 in the last epoch."""
        robust = epoch + 1 - self.recipe.warmup_epochs
        return max(0.0, robust / max(1, self.recipe.epochs - self.recipe.warmup_epochs))

    def _lesson(self, epoch: int, steps: Steps) -> Lesson:
        robust = epoch >= self.recipe.warmup_epochs
        filtered = robust and self.recipe.filtered
        resolving = robust and self.pool.candidates is not None and self.pool.targets is None
        logits = self.encoder.score(self.pool.tokens, on_batch=steps.still)[1] if filtered or resolving else None
        return lesson(self.pool, logits, filtered=filtered)

    def _with_others(self, trusted: np.ndarray) -> np.ndarray:
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

    def _step(self, batch: np.ndarray, taught: Lesson, weight: float) -> None:
        """One step of the optimizer; a batch that does not fit into memory is learned from in pieces whose gradients
        add up to the same."""
        self.encoder.model.train()
        while True:
            size = self.encoder.room.at_once("training", len(batch))
            try:
                self._learn([batch[first : first + size] for first in range(0, len(batch), size)], taught, weight)
            except (RuntimeError, MemoryError) as error:
                problem = released(error)
            else:
                return
            self.encoder.forget()
            self.optimizer.zero_grad(set_to_none=True)
            self.encoder.room.shrink("training", size, problem)

    def _learn(self, pieces: Sequence[np.ndarray], taught: Lesson, weight: float) -> None:
        trusted = sum(int(taught.trusted[piece].sum()) for piece in pieces)
        texts = sum(map(len, pieces))
        nothing = torch.zeros((), device=self.encoder.compute.device)
        learned = False
        for piece in pieces:
            loss = sum(self._terms(piece, taught, weight, trusted=trusted, texts=texts), nothing)
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]  # torch's own
                learned = True
        if learned:
            torch.nn.utils.clip_grad_norm_(self.weights, MAX_GRADIENT_NORM)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def _terms(
        self, batch: np.ndarray, taught: Lesson, weight: float, *, trusted: int, texts: int
    ) -> Iterator[torch.Tensor]:
        """Means over the texts each term speaks of; consistency counts by the share of such texts in the batch, else a
        single untrusted text would weigh as much as all the others. Of a whole batch of `texts`, `trusted` of them
        trusted, this may be a piece: it then weighs as much as it holds."""
        two_views = weight > 0 and self.recipe.consistency
        ids, mask = self._views(batch) if two_views else self.encoder.pad([self.pool.tokens[index] for index in batch])
        features, logits = self.encoder.forward(ids, mask)
        is_trusted = taught.trusted[batch]
        good = torch.from_numpy(np.flatnonzero(is_trusted)).to(ids.device)
        rest = torch.from_numpy(np.flatnonzero(~is_trusted)).to(ids.device)
        targets = torch.from_numpy(taught.targets[batch[is_trusted]]).to(ids.device)
        share = len(good) / max(1, trusted)
        if len(good):
            yield share * functional.cross_entropy(logits[: len(batch)][good], targets)
        if len(good) > 1 and weight > 0 and self.recipe.mixup:
            own = features[: len(batch)][good]
            yield share * weight * terms.mixup(own, targets, head=self.encoder.head_alone, rng=self.rng)
        if two_views and len(good):
            yield share * weight * functional.cross_entropy(logits[len(batch) :][good], targets)
        if two_views and len(rest):
            first, second = logits[: len(batch)][rest], logits[len(batch) :][rest]
            part = CONSISTENCY_WEIGHT * len(rest) / texts
            yield weight * part * terms.consistency(first, second)

    def _views(self, batch: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of the texts, then of their second views: the paraphrase, else the text with tokens hidden."""
        first = [self.pool.tokens[index] for index in batch]
        others = [[] if self.pool.paraphrases is None else self.pool.paraphrases[index] for index in batch]
        ids, mask = self.encoder.pad(first + [other or own for own, other in zip(first, others, strict=True)])
        hidden = terms.drop_tokens(mask[len(batch) :], self.rng)
        reworded = torch.tensor([bool(other) for other in others], device=mask.device)[:, None]
        return ids, torch.cat([mask[: len(batch)], torch.where(reworded, mask[len(batch) :], hidden)])
