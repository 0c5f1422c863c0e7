"""Embeddings without an encoder: hashed character n-grams, for students that count words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DIMENSIONS = 512


def hashed_ngrams(texts: Sequence[str]) -> np.ndarray:
    """Hashed character n-grams of unit length, float32 [n, 512]: near for texts that share words and their parts."""
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=DIMENSIONS, dtype=np.float32)
    if not len(texts):
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    return np.asarray(hashing.transform(list(texts)).toarray(), dtype=np.float32)
