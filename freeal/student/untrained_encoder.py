"""What every fit starts from: the same untrained encoder, and its features of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freeal.compute import device, device_errors
from freeal.compute.batch_halving import Room
from freeal.compute.listener import OnStep, unwatched
from freeal.errors import ModelFolderError
from freeal.settings import StudentSettings
from freeal.student.encoder import encoder
from freeal.student.encoder.feature_cache import FeatureCache
from freeal.student.encoder.locate_encoder import Weights, resolve_weights
from freeal.student.model_folder import load_student


class UntrainedEncoder:
    """The encoder that `settings` name, ready to be loaded afresh for each fit.

    Instead of its published weights it may go on from those of `previous`, a saved student of the same encoder. Raises
    `ModelFolderError` where that folder is damaged or holds another kind of student.
    """

    def __init__(
        self,
        settings: StudentSettings,
        previous: Path | None = None,
        *,
        room: Room | None = None,
        scratch: Path | None = None,
    ) -> None:
        self.settings = settings
        self.room = room or Room()
        self.scratch = scratch
        self.weights = resolve_weights(str(settings.model))
        self.previous = None if previous is None else _checked_previous_student(previous, self.weights, settings)
        self.compute = device.choose(settings)
        self._cache = FeatureCache(scratch=scratch)

    def fresh_encoder(self, labels: Sequence[str]) -> encoder.Encoder:
        """The untrained encoder, loaded once more, with a head for `labels`; equal every time but for the shape of
        that."""
        try:
            return encoder.load_encoder(
                self.weights,
                labels=labels,
                max_length=self.settings.max_length,
                long_texts=self.settings.long_texts,
                compute=self.compute,
                seed=self.settings.seed,
                previous=self.previous,
                room=self.room,
            )
        except (RuntimeError, MemoryError) as error:
            if (known := device_errors.named_device_error(error)) is error:
                raise
            raise known from error

    def features(self, texts: Sequence[str], untrained: encoder.Encoder, *, on_batch: OnStep = unwatched) -> np.ndarray:
        """Head inputs of a fresh encoder, [n, d] as `FeatureCache` keeps them; computed once per text."""
        return self._cache.features(texts, untrained, on_batch=on_batch)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Features of the untrained encoder at unit length, [n, d] of their own type."""
        on_batch = self.room.listener.on_embedded
        features = self.features(texts, self.fresh_encoder(("0", "1")), on_batch=on_batch)
        return encoder.unit_rows(features, scratch=self.scratch)


def _checked_previous_student(folder: Path, weights: Weights, settings: StudentSettings) -> Path:
    """The folder of a student to begin with in place of the untrained encoder's weights, if it is a whole one that was
    fine-tuned from them: a frozen one has learned nothing that another could go on from."""
    card = load_student.load(folder, settings=settings).card
    if card.base_model != weights.name or card.mode != "finetune":
        raise ModelFolderError(f"{folder}: is a {card.mode} {card.base_model}, not a finetune {weights.name}")
    return folder
