"""What the untrained encoder makes of texts, computed once per text: the pool is the same in every round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeal.compute.listener import OnStep, unwatched
from freeal.student.encoder.encoder import Encoder

MAX_TEXTS = 200_000
"""Texts remembered at most (384 dimensions: 300 MB); beyond, everything is forgotten and computed anew."""


class FeatureCache:
    """Features by text, for one set of encoder weights and one length limit."""

    def __init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}

    def features(self, texts: Sequence[str], encoder: Encoder, *, on_batch: OnStep = unwatched) -> np.ndarray:
        """Head inputs float32 [n, d] of `encoder`, which must be untrained and always the same one."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._known))
        if len(self._known) + len(missing) > MAX_TEXTS:
            self._known.clear()
            missing = list(dict.fromkeys(texts))
        found, _ = encoder.score(encoder.tokenize(missing), on_batch=on_batch)
        self._known.update(zip(missing, found, strict=True))
        if not texts:
            return np.empty((0, encoder.head.in_features), dtype=np.float32)
        return np.stack([self._known[text] for text in texts])
