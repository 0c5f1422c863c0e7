"""The frozen student: logistic regression on the untrained encoder's features, seconds once those are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.compute.listener import OnStep
from freeal.student.encoder.encoder import unit_rows
from freeal.student.encoder_trainer_base import EncoderTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder.student_metadata import Card
from freeal.student.model_folder.text_classifier import TextClassifier
from freeal.student.protocols import Training
from freeal.student.training import temperature_scaling, training_targets
from freeal.student.training.head_cross_fitting import CrossFit, cross_fit, label_losses, probe_of_cross_fit
from freeal.student.training.linear_probe import Probe, softmax
from freeal.student.training.robust_probe import robust_probe

HEAD_STEPS = 1
"""Beside one step per text: the head."""


class FrozenTrainer(EncoderTrainer):
    """Fits a linear head; features are computed once per text and kept between rounds.

    Losses and the temperature come from cross-validated logits: of heads that did not see the text.
    """

    mode = "frozen"

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Fit a head on the frozen encoder from noisy labels, not from paraphrases. Raises `TrainingError` when no text
        has a label."""
        ids = training_targets.checked_target_ids(data.label_ids, texts=len(data.texts), labels=len(labels))
        on_step(0, len(data.texts) + HEAD_STEPS)  # features may be known already: nobody would hear that this began
        encoder = self._start.fresh_encoder(labels)
        features = self._start.features(
            data.texts, encoder, on_batch=lambda done, total: on_step(done, total + HEAD_STEPS)
        )
        fitted, head, temperature = self.fit_frozen_heads(features, ids, data, labels=len(labels), seed=seed)
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
            held_out=fitted.logits.astype(np.float32),
            proba=softmax(head.logits(features) / temperature),
            embeddings=unit_rows(features, scratch=self._start.scratch),
            losses=label_losses(fitted.logits, ids),
        )

    def fit_frozen_heads(
        self, features: np.ndarray, ids: np.ndarray, data: LabelledTexts, *, labels: int, seed: int
    ) -> tuple[CrossFit, Probe, float]:
        """A frozen student's cross-validated heads on `features` [n, d], the head that is kept, and the temperature of
        its logits. `ids` int [n] are the labels of `data`, checked."""
        everyone = np.ones(len(ids), dtype=bool)
        fitted = cross_fit(features, ids, data, labels=labels, seed=seed, usable=everyone)
        if self.settings.clean_split == "posterior":
            head = probe_of_cross_fit(features, fitted, ids, data, seed=seed, usable=everyone)
            temperature = temperature_scaling.temperature_for_targets(
                head.held_out[fitted.known], fitted.targets[fitted.known]
            )
        else:
            head = self._frozen_head(features, ids, data, fitted, seed=seed, labels=labels)
            temperature = temperature_scaling.temperature(head.held_out, ids[fitted.known])
        return fitted, head, temperature

    def _frozen_head(
        self,
        features: np.ndarray,
        label_ids: np.ndarray,
        data: LabelledTexts,
        fitted: CrossFit,
        *,
        seed: int,
        labels: int,
    ) -> Probe:
        """The frozen student's head, for labels as they are, or for those a loss mixture trusts; held-out logits are of
        `fitted.known`."""
        known = fitted.known
        confirmed = None if data.confirmed is None else data.confirmed[known]
        groups = None if data.groups is None else data.groups[known]

        def robust(ids: np.ndarray) -> Probe:
            return robust_probe(
                features[known],
                ids,
                labels=labels,
                seed=seed,
                confirmed=confirmed,
                groups=groups,
                filtered=self.settings.clean_split == "mixture",
                threshold=self.settings.clean_threshold,
            )

        head = robust(label_ids[known])
        if data.candidates is None:
            return head
        return robust(
            training_targets.resolve_targets(label_ids[known], data.candidates[known], head.held_out, labels=labels)[1]
        )
