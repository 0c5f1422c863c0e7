"""What the untrained encoder makes of texts, computed once per text: the pool is the same in every round."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from freeal.compute.listener import OnStep, unwatched
from freeal.student.encoder.encoder import Encoder

MAX_TEXTS = 200_000
"""Texts remembered at most (384 dimensions: 300 MB); those of a larger pool beyond it are computed at each look."""


class FeatureCache:
    """Features by text, for one set of encoder weights and one length limit."""

    def __init__(self, *, most_texts: int = MAX_TEXTS) -> None:
        self._most_texts = most_texts
        self._known: dict[str, np.ndarray] = {}

    def features(self, texts: Sequence[str], encoder: Encoder, *, on_batch: OnStep = unwatched) -> np.ndarray:
        """Head inputs float32 [n, d] of `encoder`, which must be untrained and always the same one."""
        if not texts:
            return np.empty((0, encoder.head.in_features), dtype=np.float32)
        wanted = dict.fromkeys(texts)
        missing = [text for text in wanted if text not in self._known]
        computed, _ = encoder.score(encoder.tokenize(missing), on_batch=on_batch)
        new = dict(zip(missing, computed, strict=True))
        found = np.stack([new[text] if text in new else self._known[text] for text in texts])
        self._remember(new, wanted)
        return found

    def _remember(self, new: dict[str, np.ndarray], wanted: dict[str, None]) -> None:
        """Keep `new` as far as there is room; what this look did not want makes way, what it wanted stays."""
        for text in [text for text in self._known if text not in wanted]:
            if len(self._known) + len(new) <= self._most_texts:
                break
            del self._known[text]
        room = self._most_texts - len(self._known)
        self._known.update(itertools.islice(new.items(), max(0, room)))
