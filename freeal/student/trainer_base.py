"""What every fit starts from: the same untrained encoder, its features of the pool, a linear head fitted on them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from freeal.compute import device, device_errors
from freeal.compute.batch_halving import Room
from freeal.compute.listener import OnStep, unwatched
from freeal.errors import ModelFolderError
from freeal.selection import clean_split
from freeal.settings import StudentSettings
from freeal.student.encoder import encoder
from freeal.student.encoder.encoder_weights import PACKAGED, Weights, packaged, resolve
from freeal.student.encoder.feature_cache import FeatureCache
from freeal.student.model_folder import load_student
from freeal.student.training import linear_probe

CLEAN_THRESHOLD = 0.7
"""P(clean) above which a text's label is learned from (the paper's value)."""


class Start:
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
        self.weights = resolve(str(settings.model))
        self.previous = None if previous is None else _checked(previous, self.weights, settings)
        self.compute = device.choose(settings)
        self._cache = FeatureCache(scratch=scratch)

    def fresh(self, labels: Sequence[str]) -> encoder.Encoder:
        """An untrained classifier; equal every time but for the shape of its head."""
        try:
            return encoder.load(
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
            if (known := device_errors.named(error)) is error:
                raise
            raise known from error

    def features(self, texts: Sequence[str], untrained: encoder.Encoder, *, on_batch: OnStep = unwatched) -> np.ndarray:
        """Head inputs of a `fresh` encoder, [n, d] as `FeatureCache` keeps them; computed once per text."""
        return self._cache.features(texts, untrained, on_batch=on_batch)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Features of the untrained encoder at unit length, [n, d] of their own type."""
        on_batch = self.room.listener.on_embedded
        features = self.features(texts, self.fresh(("0", "1")), on_batch=on_batch)
        return encoder.unit_rows(features, scratch=self.scratch)


def _checked(folder: Path, weights: Weights, settings: StudentSettings) -> Path:
    """The folder, if it holds a whole student that was fine-tuned from this encoder: a frozen one has learned nothing
    that another could go on from."""
    card = load_student.load(folder, settings=settings).card
    if card.base_model != weights.name or card.mode != "finetune":
        raise ModelFolderError(f"{folder}: is a {card.mode} {card.base_model}, not a finetune {weights.name}")
    return folder


class EncoderTrainer:
    """What both trainers have in common. Each fit starts from the untrained encoder: errors of a round end with it."""

    mode: ClassVar[str]

    def __init__(
        self,
        settings: StudentSettings,
        previous: Path | None = None,
        *,
        room: Room | None = None,
        scratch: Path | None = None,
    ) -> None:
        """`scratch` is a folder for what is too large for memory; None: all of it is in memory."""
        self.settings = settings
        self._start = Start(settings, previous, room=room, scratch=scratch)
        self._reader = self._start
        if previous is not None or (self._start.weights.name != PACKAGED and packaged() is not None):
            # a language model's encoder (distilroberta-base) puts texts of like meaning no nearer than others
            reading = settings.model_copy(update={"model": PACKAGED}) if packaged() else settings
            self._reader = Start(reading, room=self._start.room, scratch=scratch)

    @property
    def description(self) -> dict[str, str]:
        """`model`, `mode` and `device` in use."""
        return {"model": self._start.weights.name, "mode": self.mode, "device": str(self._start.compute)}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of an encoder that was trained for sentences where there is one, unit length, [n, d];
        float32, but float16 of more than `feature_cache.MAX_TEXTS` where there is a folder for scratch files."""
        return self._reader.embed(texts)


def robust_probe(
    features: np.ndarray,
    label_ids: np.ndarray,
    *,
    labels: int,
    seed: int,
    usable: np.ndarray | None = None,
    confirmed: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    filtered: bool = True,
    threshold: float = CLEAN_THRESHOLD,
) -> linear_probe.Probe:
    """A linear head that learned from clean labels only: once on all, split by cross-validated losses, once more.

    `features` [n, d] as the encoder gives them, `label_ids` [n] without NO_LABEL; only labels that are `usable` (bool
    [n], default all) are learned from, all of those where they are not to be `filtered`, and of those always the
    `confirmed` (bool [n], default none). Cross-validated losses need no early stopping to tell right labels from
    memorised ones: no head has seen the text it judges.
    """
    usable = np.ones(len(label_ids), dtype=bool) if usable is None else usable
    scale = float(features.std()) or 1.0
    scaled = features / scale
    fitted = functools.partial(linear_probe.fit, scaled, label_ids, labels=labels, seed=seed, groups=groups)
    first = fitted(trusted=usable)
    if not filtered:
        return first.over(scale)
    losses = linear_probe.cross_entropy(first.held_out, label_ids)
    probability = clean_split.evenly(clean_split.split(losses, label_ids), losses, label_ids)
    clean_enough = probability > threshold
    trusted = (clean_enough if confirmed is None else clean_enough | confirmed) & usable
    second = fitted(trusted=trusted) if trusted.any() else first
    return second.over(scale)
