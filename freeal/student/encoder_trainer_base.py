"""What the trainers of encoders have in common: the untrained encoder they start from, and the one that embeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from freeal.compute.batch_halving import Room
from freeal.settings import StudentSettings
from freeal.student.encoder.locate_encoder import PACKAGED, packaged_weights
from freeal.student.untrained_encoder import UntrainedEncoder


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
        self._start = UntrainedEncoder(settings, previous, room=room, scratch=scratch)
        self._reader = self._start
        if previous is not None or (self._start.weights.name != PACKAGED and packaged_weights() is not None):
            # a language model's encoder (distilroberta-base) puts texts of like meaning no nearer than others
            reading = settings.model_copy(update={"model": PACKAGED}) if packaged_weights() else settings
            self._reader = UntrainedEncoder(reading, room=self._start.room, scratch=scratch)

    @property
    def description(self) -> dict[str, str]:
        """`model`, `mode` and `device` in use."""
        return {"model": self._start.weights.name, "mode": self.mode, "device": str(self._start.compute)}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of an encoder that was trained for sentences where there is one, unit length, [n, d];
        float32, but float16 of more than `feature_cache.MAX_TEXTS` where there is a folder for scratch files."""
        return self._reader.embed(texts)
