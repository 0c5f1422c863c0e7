"""What students that count words, or parts of them, have in common: texts are read whole, embedded without encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from freeal.student.protocols import ReadText

if TYPE_CHECKING:
    import numpy as np

DIMENSIONS = 512


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
        return hashed(texts)


def hashed(texts: Sequence[str]) -> np.ndarray:
    """Hashed character n-grams of unit length, float32 [n, 512]: near for texts that share words and their parts."""
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=DIMENSIONS, dtype=np.float32)
    if not len(texts):
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    return np.asarray(hashing.transform(list(texts)).toarray(), dtype=np.float32)
