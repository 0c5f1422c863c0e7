"""The trained student: scores and embeds texts, and can be saved."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.compute.quiet_transformers import quiet_transformers
from freeal.errors import ModelFolderError
from freeal.student.model_folder import student_metadata as cards
from freeal.student.protocols import ReadText

if TYPE_CHECKING:
    import numpy as np

    from freeal.student.encoder.encoder import Encoder


class TextClassifier:
    """A `Student` over a transformers sequence classifier. The temperature is inside the weights already."""

    def __init__(self, encoder: Encoder, card: cards.Card, *, batch_size: int = 64) -> None:
        self._encoder = encoder
        self.card = card
        self.batch_size = batch_size
        self._reading = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_reading"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _reading=threading.Lock())

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names; column i of `predict_proba` is `labels[i]`."""
        return self.card.labels

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated class probabilities, float32 [len(texts), len(labels)], in the order of `texts`; of several labels
        each its own."""
        return self._proba(self._features_and_logits(texts)[1])

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """Tokens of each text, and whether they are all of it. Safe beside `score`, and from several threads."""
        with self._reading:  # a fast tokenizer refuses, or mixes up, two threads at once
            return self._encoder.read(texts)

    def score(self, texts: Sequence[ReadText]) -> np.ndarray:
        """Calibrated class probabilities of texts as `read` gave them, float32 [len(texts), len(labels)]."""
        return self._proba(self._encoder.score([list(text.tokens) for text in texts], batch_size=self.batch_size)[1])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """What the classification head sees, scaled to unit length, float32 [len(texts), d]."""
        from freeal.student.encoder.encoder import unit

        return unit(self._features_and_logits(texts)[0])

    def save(self, folder: Path) -> None:
        """Write config, float32 safetensors, tokenizer and freeal.json into an existing folder.

        Plain `transformers.pipeline("text-classification", folder)` gives the same answers (of several labels with
        `top_k=None`). Raises `ModelFolderError`
        where the folder cannot be written.
        """
        # so that a pipeline told `truncation=True` cuts where training did
        self._encoder.tokenizer.model_max_length = self.card.max_length
        try:
            with quiet_transformers():
                self._encoder.model.save_pretrained(folder)
                self._encoder.tokenizer.save_pretrained(folder)
            # safetensors writes for the owner alone: whoever may read the folder may read the weights
            for weights in folder.glob("*.safetensors"):
                weights.chmod(folder.stat().st_mode & 0o666)
            cards.write_card(folder, self.card)
        except OSError as cause:
            raise ModelFolderError(f"{folder}: the model cannot be written: {cause.strerror or cause}") from cause

    def _proba(self, logits: np.ndarray) -> np.ndarray:
        from freeal.student.training.linear_probe import sigmoid, softmax

        return sigmoid(logits) if self._encoder.has_several_labels else softmax(logits)

    def _features_and_logits(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits; identical texts are computed once."""
        import numpy as np

        first: dict[str, int] = {}
        places = np.array([first.setdefault(text, len(first)) for text in texts], dtype=np.int64)
        features, logits = self._encoder.score(self._encoder.tokenize(list(first)), batch_size=self.batch_size)
        return features[places], logits[places]
