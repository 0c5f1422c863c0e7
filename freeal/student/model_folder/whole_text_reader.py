"""What students that count words, or parts of them, have in common: texts are read whole, embedded without encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from freeal.student.hashed_ngrams import hashed_ngrams
from freeal.student.protocols import ReadText

if TYPE_CHECKING:
    import numpy as np


class WholeTextReader:
    """The part of a `Student` that is the same whatever is counted: its characters stand for a text's tokens."""

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities, float32 [len(texts), len(labels)], in the order of `texts`."""
        raise NotImplementedError

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """Each text whole."""
        return [ReadText([ord(sign) for sign in text], cut=False) for text in texts]

    def score(self, texts: Sequence[ReadText]) -> np.ndarray:
        """Class probabilities of texts as `read` gave them, float32 [len(texts), len(labels)]."""
        return self.predict_proba(["".join(map(chr, text.tokens)) for text in texts])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Hashed character n-grams of unit length, float32 [len(texts), 512]."""
        return hashed_ngrams(texts)
