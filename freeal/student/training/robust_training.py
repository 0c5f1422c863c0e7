"""Robust fine-tuning on noisy labels (FreeAL section 3.3, DESIGN.md 4.3).

Plain cross entropy first, then every epoch splits the pool by loss, learns from the clean part, mixes it up, and asks
only for consistent answers on the rest. Losses live at pool indices: a batch carries the indices of its texts, never
positions of its own.

With targets of all voices (freeal/aggregation/label_posterior.py) nothing is split: every labelled text is learned
from, as far as its label is believed.

One departure from the paper, measured: a fine-tuned network has memorised wrong labels of a pool of some hundred texts
before two epochs are over (MR, 600 texts, 26 % wrong: loss tells right from wrong with AUC 0.60). A linear probe's
cross-validated losses (AUC 0.72) never saw the label they judge. So they count half in every split.

Several processes may train one encoder together: each learns from its part of every batch, and gradients add up to
those of the whole, as they do for a batch that is learned from in pieces. Order and batches are drawn alike by all;
dropout, hidden tokens and partners for mixup each draws for its own texts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional

from freeal.compute.device_errors import released
from freeal.compute.listener import OnStep, Steps
from freeal.compute.process_group import Alone, ProcessGroup
from freeal.executors.training.training_task import Checkpoints
from freeal.student.encoder.encoder import Encoder
from freeal.student.encoder.token_batches import shuffled_batches
from freeal.student.training import losses as terms
from freeal.student.training import training_state
from freeal.student.training.hyperparameters import Recipe
from freeal.student.training.label_trust import Lesson, Pool, lesson_of_trusted_labels

WARMUP_SHARE = 0.1
MAX_GRADIENT_NORM = 1.0
FEWEST_TEXTS = 8
"""Of a piece of a batch that would fit into memory as a whole: mixup finds a text's partner in its own piece."""
CONSISTENCY_WEIGHT = 0.25
"""Of the divergence on untrusted texts beside the other terms. At 1, a small encoder confirms its own errors: TREC, 500
texts, 22 % wrong, test accuracy 0.75 against 0.77 (and 0.81 without the term); MR, 600 texts, 0.71 against 0.72."""


def trained_weights(encoder: Encoder) -> list[torch.Tensor]:
    """What a run changes of an encoder, in a fixed order."""
    # word embeddings stay: their dense gradient took a third of the time on a CPU, and accuracy is the same without
    encoder.model.get_input_embeddings().requires_grad_(requires_grad=False)
    return [weight for weight in encoder.model.parameters() if weight.requires_grad]


class RobustTraining:
    """One run over one pool; `run` trains the encoder in place, as one process of `group`."""

    def __init__(
        self,
        encoder: Encoder,
        pool: Pool,
        recipe: Recipe,
        *,
        rng: np.random.Generator,
        group: ProcessGroup | None = None,
    ) -> None:
        self.encoder, self.pool, self.recipe, self.rng = encoder, pool, recipe, rng
        self.group = group or Alone()
        self.draws = rng
        self.seed = int(copy.deepcopy(rng).integers(2**62))  # of a copy: the order of texts is that of one process
        self.lengths = np.fromiter(map(len, pool.tokens), dtype=np.int64, count=len(pool.tokens))
        self.weights = trained_weights(encoder)
        self.optimizer = torch.optim.AdamW(self.weights, lr=recipe.learning_rate, weight_decay=0.01, fused=True)

    def run(self, on_step: OnStep, checkpoints: Checkpoints | None = None) -> None:
        """Train for all epochs that the latest of `checkpoints` does not have. How many texts an epoch will trust is
        known when it begins, so steps are planned as shares of an epoch: the count only rises, and ends at its
        total."""
        steps = on_step if isinstance(on_step, Steps) else Steps(on_step)
        total = self.recipe.steps(len(self.pool.tokens))
        for epoch in range(self._epochs_behind(checkpoints), self.recipe.epochs):
            self.group.equal(self.weights)
            self._draw_apart(epoch)
            weight = self._ramp(epoch)
            taught = self._lesson_of_epoch(epoch, steps)
            indices = self._with_others(taught.trusted) if weight > 0 else np.flatnonzero(taught.trusted)
            batches = shuffled_batches(self.lengths, indices, size=self.recipe.batch_size, rng=self.rng)
            for number, batch in enumerate(batches):
                self._set_rate((epoch + number / len(batches)) / self.recipe.epochs)
                self._optimizer_step(batch, taught, weight)
                steps(int(total * (epoch + (number + 1) / len(batches)) / self.recipe.epochs), total)
            if checkpoints is not None:
                checkpoints.keep(self._state(epoch + 1) if self.group.rank == 0 else None, epoch=epoch + 1)
        steps(total, total)

    def _epochs_behind(self, checkpoints: Checkpoints | None) -> int:
        latest = None if checkpoints is None else checkpoints.latest()
        if latest is None:
            return 0
        alone = self.group.size == 1
        return training_state.restore_training_state(latest, self.weights, self.optimizer, self.rng, draws_alone=alone)

    def _state(self, epochs: int) -> bytes:
        alone = self.group.size == 1
        return training_state.saved_training_state(
            self.weights, self.optimizer, self.rng, epochs=epochs, draws_alone=alone
        )

    def _draw_apart(self, epoch: int) -> None:
        """One of several processes begins an epoch with random numbers of its own, the same after a restart."""
        if self.group.size > 1:
            self.draws = np.random.default_rng([self.seed, epoch, self.group.rank])
            torch.manual_seed(int(self.draws.integers(2**62)))

    def _ramp(self, epoch: int) -> float:
        """Weight of the robust terms: 0 while plain, then rising to 1 in the last epoch."""
        robust = epoch + 1 - self.recipe.warmup_epochs
        return max(0.0, robust / max(1, self.recipe.epochs - self.recipe.warmup_epochs))

    def _lesson_of_epoch(self, epoch: int, steps: Steps) -> Lesson:
        robust = epoch >= self.recipe.warmup_epochs
        filtered = robust and self.recipe.filtered
        resolving = robust and self.pool.candidates is not None and self.pool.targets is None
        logits = self._logits_of_pool(steps) if filtered or resolving else None
        taught = lesson_of_trusted_labels(self.pool, logits, filtered=filtered)
        trusted = self.group.agreed(taught.trusted.astype(np.uint8)).astype(bool)
        return Lesson(self.group.agreed(taught.targets), trusted)

    def _logits_of_pool(self, steps: Steps) -> np.ndarray:
        """Logits of the whole pool, float32 [n, labels]: each process scores its share, and row ids put them
        together."""
        rows = self.group.share(np.arange(len(self.pool.tokens)))
        logits = self.encoder.score([self.pool.tokens[row] for row in rows], on_batch=steps.still)[1]
        return self.group.gathered(rows, logits, of=len(self.pool.tokens))

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

    def _optimizer_step(self, batch: np.ndarray, taught: Lesson, weight: float) -> None:
        """One optimizer step of the robust training, the same in all processes."""
        self.encoder.model.train()
        self._add_gradients(batch, taught, weight)
        if self.group.sum_over_group(self.weights):
            torch.nn.utils.clip_grad_norm_(self.weights, MAX_GRADIENT_NORM)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def _add_gradients(self, batch: np.ndarray, taught: Lesson, weight: float) -> None:
        """Of this process's share of a batch. A share that does not fit into memory, or whose activations are more than
        are kept, is learned from in pieces whose gradients add up to the same."""
        mine = self.group.share(batch)
        while len(mine):
            size = self.encoder.room.at_once("training", len(mine))
            try:
                for piece in self._pieces_within_memory(mine, size, views=self._views_of(weight)):
                    self._learn_from_piece(piece, batch, taught, weight)
            except (RuntimeError, MemoryError) as error:
                problem = released(error)
            else:
                return
            self.encoder.forget()
            self.optimizer.zero_grad(set_to_none=True)
            self.encoder.room.halve_batch("training", size, problem)

    def _pieces_within_memory(self, rows: np.ndarray, most_texts: int, *, views: int) -> list[np.ndarray]:
        """Parts of a robust training step: `rows` in about equal pieces of at most so many texts, and tokens of which
        nothing is computed twice."""
        count = -(-len(rows) // most_texts)
        if self.encoder.training_tokens is not None:
            tokens = len(rows) * views * int(self.lengths[rows].max())
            kept = -(-tokens // self.encoder.training_tokens)
            count = max(count, min(kept, len(rows) // FEWEST_TEXTS))
        return np.array_split(rows, count)

    def _views_of(self, weight: float) -> int:
        """How many views of a text are learned from."""
        return 2 if weight > 0 and self.recipe.consistency else 1

    def _learn_from_piece(self, piece: np.ndarray, batch: np.ndarray, taught: Lesson, weight: float) -> None:
        trusted = int(taught.trusted[batch].sum())
        nothing = torch.zeros((), device=self.encoder.compute.device)
        loss = sum(self._loss_terms(piece, taught, weight, trusted=trusted, texts=len(batch)), nothing)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own

    def _loss_terms(
        self, batch: np.ndarray, taught: Lesson, weight: float, *, trusted: int, texts: int
    ) -> Iterator[torch.Tensor]:
        """Means over the texts each term speaks of; consistency counts by the share of such texts in the batch, else a
        single untrusted text would weigh as much as all the others. Of a whole batch of `texts`, `trusted` of them
        trusted, this may be a piece: it then weighs as much as it holds."""
        two_views = self._views_of(weight) == 2
        ids, mask = (
            self._two_views(batch) if two_views else self.encoder.pad([self.pool.tokens[index] for index in batch])
        )
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
            yield share * weight * terms.mixup_loss(own, targets, head=self.encoder.head_alone, rng=self.draws)
        if two_views and len(good):
            yield share * weight * functional.cross_entropy(logits[len(batch) :][good], targets)
        if two_views and len(rest):
            first, second = logits[: len(batch)][rest], logits[len(batch) :][rest]
            part = CONSISTENCY_WEIGHT * len(rest) / texts
            yield weight * part * terms.consistency(first, second)

    def _two_views(self, batch: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of the texts, then of their second views: the paraphrase, else the text with tokens hidden."""
        first = [self.pool.tokens[index] for index in batch]
        others = [[] if self.pool.paraphrases is None else self.pool.paraphrases[index] for index in batch]
        ids, mask = self.encoder.pad(first + [other or own for own, other in zip(first, others, strict=True)])
        hidden = terms.drop_tokens(mask[len(batch) :], self.draws)
        reworded = torch.tensor([bool(other) for other in others], device=mask.device)[:, None]
        return ids, torch.cat([mask[: len(batch)], torch.where(reworded, mask[len(batch) :], hidden)])
