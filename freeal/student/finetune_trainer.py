"""The fine-tuned student: a linear head first, then the whole encoder, robustly (DESIGN.md 4.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freeal.compute import freed_memory
from freeal.compute.batch_halving import Room
from freeal.compute.listener import OnStep, PartOfSteps, Steps
from freeal.executors.training.training_task import LocalTraining, TrainingExecutor
from freeal.settings import StudentSettings
from freeal.student.encoder.encoder import Encoder, unit
from freeal.student.encoder.token_batches import Tokens
from freeal.student.encoder_trainer_base import EncoderTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder.student_metadata import Card
from freeal.student.model_folder.text_classifier import TextClassifier
from freeal.student.protocols import NO_LABEL, Training
from freeal.student.training import (
    encoder_cross_fitting,
    head_cross_fitting,
    hyperparameters,
    temperature_scaling,
    training_targets,
)
from freeal.student.training.encoder_cross_fitting import HALVES
from freeal.student.training.fine_tuning import FineTuning
from freeal.student.training.head_cross_fitting import CrossFit, cross_fit, label_losses, probe_of_cross_fit
from freeal.student.training.label_trust import Pool
from freeal.student.training.linear_probe import softmax

HELD_OUT_SHARE = 0.1
HELD_OUT_FROM = 100
"""Fewer labelled texts than this are all needed for training; the temperature is then the prior's."""
HELD_OUT_MOST = 500
SMALL_CLASS = 10


@dataclasses.dataclass(frozen=True)
class _Work:
    """What one fit is given: `ids` int64 [n] are the labels, `tokens` those of the texts."""

    data: LabelledTexts
    ids: np.ndarray
    labels: tuple[str, ...]
    tokens: Tokens
    seed: int


class TransformerTrainer(EncoderTrainer):
    """Fine-tunes a sequence classifier. Each fit starts from the untrained encoder, errors of a round end with it."""

    mode = "finetune"

    def __init__(
        self,
        settings: StudentSettings,
        previous: Path | None = None,
        *,
        room: Room | None = None,
        scratch: Path | None = None,
        executor: TrainingExecutor | None = None,
    ) -> None:
        """As its base. `executor` does the fine-tuning; None: this process."""
        super().__init__(settings, previous, room=room, scratch=scratch)
        self._executor = executor or LocalTraining()

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Fine-tune an encoder on noisy labels. Raises `TrainingError` when no text has a label."""
        ids = training_targets.checked_target_ids(data.label_ids, texts=len(data.texts), labels=len(labels))
        rng = np.random.default_rng([self.settings.seed, seed])
        encoder = self._start.fresh_encoder(labels)
        held_out = _held_out(ids, rng, confirmed=data.confirmed, groups=data.groups)
        work = _Work(data, ids, tuple(labels), encoder.tokenize(data.texts), seed)
        halves = HALVES if self._judges_by_encoders(work) else 0
        parts = [Steps(PartOfSteps(on_step, place=place, of=halves + 1)) for place in range(halves + 1)]
        steps = parts[-1]
        fitted = self._heads(encoder, work, held_out, parts[0])
        if halves:
            del encoder  # two at once would be two in memory
            fitted = self._judged_by_encoders(fitted, work, parts)
            encoder = self._start.fresh_encoder(labels)
        pool, processes = self._fine_tune(encoder, work, held_out, fitted, rng=rng, steps=steps)
        found = self._finished_training(encoder, pool, work.labels, steps)
        return dataclasses.replace(found, engine=self._executor.name, processes=processes)

    def _judges_by_encoders(self, work: _Work) -> bool:
        labelled = int((work.ids != NO_LABEL).sum())
        on_cpu = self._start.compute.device.type == "cpu"
        is_asked = work.data.judged and work.data.weigh is not None
        return is_asked and encoder_cross_fitting.is_worth_it(self.settings, labelled=labelled, on_cpu=on_cpu)

    def _heads(self, encoder: Encoder, work: _Work, held_out: np.ndarray, steps: Steps) -> CrossFit:
        """What heads on the untrained encoder's features that did not learn a text's label say of it."""
        features = self._start.features(work.data.texts, encoder, on_batch=steps.still)
        return cross_fit(features, work.ids, work.data, labels=len(work.labels), seed=work.seed, usable=~held_out)

    def _judged_by_encoders(self, fitted: CrossFit, work: _Work, parts: Sequence[Steps]) -> CrossFit:
        """The same, judged by encoders as well that were fine-tuned without the text's half, where they help."""
        groups = work.data.groups

        def fine_tune_without(half: np.ndarray, number: int) -> np.ndarray:
            steps = parts[number]
            encoder = self._start.fresh_encoder(work.labels)
            heads = self._heads(encoder, work, half, steps)
            rng = np.random.default_rng([self.settings.seed, work.seed, number])
            self._fine_tune(encoder, work, half, heads, rng=rng, steps=steps)
            logits = encoder.score(work.tokens, on_batch=steps.still)[1]
            del encoder
            freed_memory.give_back_freed_memory()
            return logits

        found = encoder_cross_fitting.judged_by_halves(
            fine_tune_without, fitted.logits, work.ids, seed=work.seed, groups=groups
        )
        return head_cross_fitting.judged_anew(fitted, found, work.ids, work.data)

    def _fine_tune(
        self,
        encoder: Encoder,
        work: _Work,
        held_out: np.ndarray,
        fitted: CrossFit,
        *,
        rng: np.random.Generator,
        steps: Steps,
    ) -> tuple[Pool, int]:
        """Train in place; what on, and how many processes did it. A head comes first: a random one would pull the
        features apart before it has learned anything (linear probing, then fine-tuning: Kumar et al., ICLR 2022)."""
        by_posterior = self.settings.clean_split == "posterior"
        features = self._start.features(work.data.texts, encoder, on_batch=steps.still)
        head = fitted.plain
        if by_posterior:
            head = probe_of_cross_fit(features, fitted, work.ids, work.data, seed=work.seed, usable=~held_out)
        encoder.set_head(head.weight, head.bias)
        pool = Pool(
            tokens=work.tokens,
            label_ids=work.ids,
            held_out=held_out,
            probe_logits=fitted.logits,
            candidates=work.data.candidates,
            paraphrases=_paraphrase_tokens(encoder, work.data.paraphrases),
            confirmed=work.data.confirmed,
            targets=fitted.targets if by_posterior else None,
            threshold=self.settings.clean_threshold,
        )
        recipe = hyperparameters.recipe_for(
            self.settings,
            labelled=int((work.ids != NO_LABEL).sum()),  # of half of them the same number of passes is enough
            width=encoder.model.config.hidden_size,
            paraphrased=work.data.paraphrases is not None,
        )
        task = FineTuning(encoder, pool, recipe, rng, work.seed, self.settings)
        processes = self._executor.train(task, on_step=steps)
        freed_memory.give_back_freed_memory()  # gradients, the optimizer's moments and activations are gone
        return pool, processes

    def _finished_training(self, encoder: Encoder, pool: Pool, labels: tuple[str, ...], steps: Steps) -> Training:
        """What fine-tuning leaves: the student, cooled, and what it and the heads say of the pool."""
        features, logits = encoder.score(pool.tokens, on_batch=steps.still)
        kept = pool.held_out
        if pool.targets is None:
            temperature = temperature_scaling.temperature(logits[kept], pool.label_ids[kept])
        else:
            temperature = temperature_scaling.temperature_for_targets(logits[kept], pool.targets[kept])
        encoder.cool(temperature)
        card = Card(
            labels=labels,
            base_model=self._start.weights.name,
            mode=self.mode,
            max_length=encoder.max_length,
            long_texts=encoder.long_texts,
            temperature=temperature,
        )
        return Training(
            student=TextClassifier(encoder, card),
            held_out=pool.probe_logits.astype(np.float32),
            proba=softmax(logits / temperature),
            embeddings=unit(features),
            losses=label_losses(pool.probe_logits, pool.label_ids),
        )


def _paraphrase_tokens(encoder: Encoder, paraphrases: Sequence[str] | None) -> Tokens | None:
    if paraphrases is None:
        return None
    return [tokens if text else [] for text, tokens in zip(paraphrases, encoder.tokenize(paraphrases), strict=True)]


def _held_out(
    label_ids: np.ndarray, rng: np.random.Generator, *, confirmed: np.ndarray | None, groups: np.ndarray | None = None
) -> np.ndarray:
    """Bool [n]: a random tenth of the labelled texts, of classes that can spare them; none of a small pool, and none
    that a person has confirmed: those are too good not to be learned from."""
    chosen = np.zeros(len(label_ids), dtype=bool)
    labelled = np.flatnonzero(label_ids != NO_LABEL)
    if len(labelled) < HELD_OUT_FROM:
        return chosen
    counts = np.bincount(label_ids[labelled])
    spare = labelled[counts[label_ids[labelled]] >= SMALL_CLASS]
    spare = spare if confirmed is None else spare[~confirmed[spare]]
    most = min(HELD_OUT_MOST, int(len(labelled) * HELD_OUT_SHARE), len(spare))
    drawn = rng.permutation(spare)
    if groups is None:
        chosen[drawn[:most]] = True
        return chosen
    # a group goes as a whole or not at all, or its like would still be learned from
    torn = np.isin(groups[drawn], groups[np.setdiff1d(labelled, spare)])
    drawn = drawn[~torn]
    _, firsts, members, sizes = np.unique(groups[drawn], return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(firsts)
    fits = np.zeros(len(order), dtype=bool)
    fits[order] = np.cumsum(sizes[order]) <= most
    chosen[drawn[fits[members]]] = True
    return chosen
