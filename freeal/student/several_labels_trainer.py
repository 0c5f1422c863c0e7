"""The student of texts that may have several labels: a frozen encoder with one linear head of yes or no per label.

Each label is trained as a frozen student of two labels is (binary relevance), on the same features: cross-fitted, with
its own clean split, its own regularisation, temperature and threshold. Put together, the heads are one layer with a
sigmoid per label, as transformers' `multi_label_classification` has it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.compute.listener import OnStep
from freeal.student.encoder.encoder import unit_rows
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder.student_metadata import Card
from freeal.student.model_folder.text_classifier import TextClassifier
from freeal.student.protocols import NO_LABEL, Training
from freeal.student.training import decision_thresholds, training_targets
from freeal.student.training.linear_probe import logits_of_head, sigmoid


@dataclasses.dataclass(frozen=True, slots=True)
class _Head:
    """One label's: its row of the layer, cooled; `held_out` [n] logits of yes against no of heads that did not see the
    text; `losses` [n] under them, nan where nothing is known."""

    weight: np.ndarray
    bias: float
    held_out: np.ndarray
    losses: np.ndarray
    threshold: float


class SeveralLabelsTrainer(FrozenTrainer):
    """Fits as many heads as there are labels; features are computed once per text and kept between rounds."""

    gives_several_labels = True

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Fit on noisy memberships. Raises `TrainingError` when nothing is known of any text."""
        said = training_targets.checked_memberships(data.label_ids, texts=len(data.texts), labels=len(labels))
        encoder = self._start.fresh_encoder(labels)
        steps = len(data.texts) + len(labels)
        on_step(0, steps)
        features = self._start.features(data.texts, encoder, on_batch=lambda done, _: on_step(done, steps))
        heads = []
        for label in range(len(labels)):
            heads.append(self._head_of_label(features, said[:, label], data.question_of_label(label), seed=seed))
            on_step(len(data.texts) + label + 1, steps)
        weight, bias = np.stack([one.weight for one in heads]), np.array([one.bias for one in heads])
        encoder.give_several_labels()
        encoder.set_head(weight, bias)
        card = Card(
            labels=tuple(labels),
            base_model=self._start.weights.name,
            mode=self.mode,
            max_length=encoder.max_length,
            long_texts=encoder.long_texts,
            temperature=1.0,
            thresholds=tuple(one.threshold for one in heads),
        )
        return Training(
            student=TextClassifier(encoder, card),
            held_out=np.stack([one.held_out for one in heads], axis=1).astype(np.float32),
            proba=sigmoid(logits_of_head(features, weight, bias)),
            embeddings=unit_rows(features, scratch=self._start.scratch),
            losses=np.stack([one.losses for one in heads]).sum(axis=0).astype(np.float32),
            thresholds=card.thresholds,
        )

    def _head_of_label(self, features: np.ndarray, ids: np.ndarray, data: LabelledTexts, *, seed: int) -> _Head:
        fitted, head, temperature = self.fit_frozen_heads(features, ids, data, labels=2, seed=seed)
        known = fitted.known
        judged = head.held_out[known] if len(head.held_out) == len(ids) else head.held_out
        proba = sigmoid(_yes(judged) / temperature)
        return _Head(
            weight=_yes(head.weight.T) / temperature,
            bias=float(head.bias[1] - head.bias[0]) / temperature,
            held_out=_yes(fitted.logits),
            losses=_losses(_yes(fitted.logits), ids),
            threshold=decision_thresholds.decision_threshold(proba, fitted.targets[known, 1]),
        )


def _yes(values: np.ndarray) -> np.ndarray:
    """Yes against no, of [n, 2]."""
    return np.asarray(values[:, 1] - values[:, 0])


def _losses(logits: np.ndarray, ids: np.ndarray) -> np.ndarray:
    losses = np.logaddexp(0.0, np.where(ids == 1, -logits, logits))
    return np.asarray(np.where(ids == NO_LABEL, np.nan, losses))
