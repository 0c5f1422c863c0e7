"""The fine-tuned student: a linear head first, then the whole encoder, robustly (DESIGN.md 4.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freeal.compute import freed_memory
from freeal.compute.batch_halving import Room
from freeal.compute.listener import OnStep, Steps
from freeal.executors.training.training_task import LocalTraining, TrainingExecutor
from freeal.settings import StudentSettings
from freeal.student.encoder.encoder import Encoder, unit
from freeal.student.encoder.token_batches import Tokens
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder.student_metadata import Card
from freeal.student.model_folder.text_classifier import TextClassifier
from freeal.student.protocols import NO_LABEL, Training
from freeal.student.trainer_base import EncoderTrainer
from freeal.student.training import hyperparameters, temperature_scaling, training_targets
from freeal.student.training.cross_fitting import CrossFit, cross_fit, label_losses, taught_probe
from freeal.student.training.fine_tuning import FineTuning
from freeal.student.training.label_trust import Pool
from freeal.student.training.linear_probe import softmax

HELD_OUT_SHARE = 0.1
HELD_OUT_FROM = 100
"""Fewer labelled texts than this are all needed for training; the temperature is then the prior's."""
HELD_OUT_MOST = 500
SMALL_CLASS = 10


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
        """Train on noisy labels. Raises `TrainingError` when no text has a label."""
        ids = training_targets.checked_ids(data.label_ids, texts=len(data.texts), labels=len(labels))
        rng = np.random.default_rng([self.settings.seed, seed])
        encoder = self._start.fresh(labels)
        held_out = _held_out(ids, rng, confirmed=data.confirmed, groups=data.groups)
        plan = hyperparameters.write(
            self.settings,
            labelled=int(((ids != NO_LABEL) & ~held_out).sum()),
            width=encoder.model.config.hidden_size,
            paraphrased=data.paraphrases is not None,
        )
        steps = Steps(on_step)
        steps(0, plan.steps(len(data.texts)))
        fitted = self._probe(encoder, data, ids, held_out, seed=seed, steps=steps)
        pool = Pool(
            tokens=encoder.tokenize(data.texts),
            label_ids=ids,
            held_out=held_out,
            probe_logits=fitted.logits,
            candidates=data.candidates,
            paraphrases=_paraphrase_tokens(encoder, data.paraphrases),
            confirmed=data.confirmed,
            targets=fitted.targets if self.settings.clean_split == "posterior" else None,
            threshold=self.settings.clean_threshold,
        )
        task = FineTuning(encoder, pool, plan, rng, seed, self.settings)
        processes = self._executor.train(task, on_step=steps)
        freed_memory.give_back()  # gradients, the optimizer's moments and activations are gone
        found = self._finish(encoder, pool, tuple(labels), steps)
        return dataclasses.replace(found, engine=self._executor.name, processes=processes)

    def _probe(
        self, encoder: Encoder, data: LabelledTexts, ids: np.ndarray, held_out: np.ndarray, *, seed: int, steps: Steps
    ) -> CrossFit:
        """What heads that did not learn a text's label say of it; the head that fine-tuning starts from is set."""
        # linear probing, then fine-tuning (Kumar et al., ICLR 2022): a random head would first pull the features apart
        features = self._start.features(data.texts, encoder, on_batch=steps.still)
        labels = encoder.head.out_features
        fitted = cross_fit(features, ids, data, labels=labels, seed=seed, usable=~held_out)
        if self.settings.clean_split == "posterior":
            head = taught_probe(features, fitted, ids, data, seed=seed, usable=~held_out)
        else:
            head = fitted.plain
        encoder.set_head(head.weight, head.bias)
        return fitted

    def _finish(self, encoder: Encoder, pool: Pool, labels: tuple[str, ...], steps: Steps) -> Training:
        features, logits = encoder.score(pool.tokens, on_batch=steps.still)
        kept = pool.held_out
        if pool.targets is None:
            temperature = temperature_scaling.temperature(logits[kept], pool.label_ids[kept])
        else:
            temperature = temperature_scaling.temperature_to(logits[kept], pool.targets[kept])
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
