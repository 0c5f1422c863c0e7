"""The frozen student: logistic regression on the untrained encoder's features, seconds once those are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.compute.listener import OnStep
from freeal.selection import clean_split
from freeal.student.encoder.encoder import unit
from freeal.student.model_folder.student_metadata import Card
from freeal.student.model_folder.text_classifier import TextClassifier
from freeal.student.protocols import NO_LABEL, LabelledTexts, Training
from freeal.student.trainer_base import EncoderTrainer, checked_ids, robust_probe
from freeal.student.training import temperature_scaling, training_targets
from freeal.student.training.linear_probe import Probe, cross_entropy, softmax

HEAD_STEPS = 1
"""Beside one step per text: the head."""


class FrozenTrainer(EncoderTrainer):
    """Fits a linear head on clean labels; features are computed once per text and kept between rounds.

    Losses, P(clean) and the temperature come from cross-validated logits: of heads that did not see the text.
    """

    mode = "frozen"

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Fit on noisy labels; paraphrases are of no use here. Raises `TrainingError` when no text has a label."""
        ids = checked_ids(data.label_ids, texts=len(data.texts), labels=len(labels))
        encoder = self._start.fresh(labels)
        features = self._start.features(
            data.texts, encoder, on_batch=lambda done, total: on_step(done, total + HEAD_STEPS)
        )
        known = np.flatnonzero(ids != NO_LABEL)
        head = self._head(features[known], ids[known], data, known, seed=seed, labels=len(labels))
        losses, probability = _judged(head, ids, known)
        if data.confirmed is not None:
            probability[data.confirmed] = 1.0
        temperature = temperature_scaling.temperature(head.held_out, ids[known])
        encoder.set_head(head.weight, head.bias)
        encoder.cool(temperature)
        card = Card(
            labels=tuple(labels),
            base_model=self._start.weights.name,
            mode=self.mode,
            max_length=encoder.max_length,
            long_texts=encoder.long_texts,
            temperature=temperature,
        )
        on_step(len(data.texts) + HEAD_STEPS, len(data.texts) + HEAD_STEPS)
        return Training(
            student=TextClassifier(encoder, card),
            clean_probability=probability,
            proba=softmax((features @ head.weight.T + head.bias) / temperature),
            embeddings=unit(features),
            losses=losses,
        )

    def _head(
        self,
        features: np.ndarray,
        label_ids: np.ndarray,
        data: LabelledTexts,
        known: np.ndarray,
        *,
        seed: int,
        labels: int,
    ) -> Probe:
        confirmed = None if data.confirmed is None else data.confirmed[known]
        groups = None if data.groups is None else data.groups[known]

        def fitted(ids: np.ndarray) -> Probe:
            return robust_probe(
                features,
                ids,
                labels=labels,
                seed=seed,
                confirmed=confirmed,
                groups=groups,
                filtered=self.filtered,
            )

        head = fitted(label_ids)
        if data.candidates is None:
            return head
        return fitted(training_targets.resolve(label_ids, data.candidates[known], head.held_out, labels=labels)[1])


def _judged(head: Probe, label_ids: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    losses = np.full(len(label_ids), np.nan, dtype=np.float32)
    probability = np.zeros(len(label_ids), dtype=np.float32)
    losses[known] = cross_entropy(head.held_out, label_ids[known])
    probability[known] = clean_split.split(losses[known], label_ids[known])
    return losses, probability
