"""What the untrained encoder makes of texts, computed once per text: the pool is the same in every round."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freeal.compute import scratch_arrays
from freeal.compute.listener import OnStep, unwatched
from freeal.student.encoder.encoder import Encoder

MAX_TEXTS = 200_000
"""Texts remembered at most without a folder for scratch files (384 dimensions: 300 MB): those of a larger pool are
computed at each look. With one, a look at more than these has its features in half precision, on the disk."""
ENCODED_AT_ONCE = 50_000
"""Texts of such a look whose tokens are in memory together."""


class FeatureCache:
    """Features by text, for one set of encoder weights and one length limit. `scratch` is the folder for large ones."""

    def __init__(self, *, most_texts: int = MAX_TEXTS, scratch: Path | None = None) -> None:
        self._most_texts, self._scratch = most_texts, scratch
        self._place: dict[str, int] = {}
        """Of each text among the rows of all blocks, one behind the other."""
        self._blocks: list[np.ndarray] = []
        self._firsts: list[int] = []

    def features(self, texts: Sequence[str], encoder: Encoder, *, on_batch: OnStep = unwatched) -> np.ndarray:
        """Head inputs [n, d] of `encoder`, which must be untrained and always the same one. Not to be written to.

        float32, or float16 in a file where there is a folder for it and more texts than `MAX_TEXTS`.
        """
        if not texts:
            return np.empty((0, encoder.head.in_features), dtype=np.float32)
        wanted = dict.fromkeys(texts)
        missing = [text for text in wanted if text not in self._place]
        self._add_features(missing, self._compute_features(missing, encoder, on_batch=on_batch))
        found = self._gather_features(
            np.fromiter((self._place[text] for text in texts), dtype=np.int64, count=len(texts))
        )
        self._make_room(missing, wanted)
        return found

    def _compute_features(self, missing: Sequence[str], encoder: Encoder, *, on_batch: OnStep) -> np.ndarray:
        shape = (len(missing), encoder.head.in_features)
        if self._scratch is None or len(missing) <= self._most_texts:
            into = scratch_arrays.empty_scratch_array(shape, np.float32, folder=self._scratch)
            return encoder.score(encoder.tokenize(missing), on_batch=on_batch, into=into)[0]
        block = scratch_arrays.empty_scratch_array(shape, np.float16, folder=self._scratch)
        for piece in scratch_arrays.pieces(len(missing), at_once=ENCODED_AT_ONCE):
            tokens = encoder.tokenize(missing[piece])
            first = piece.start

            def told(done: int, _: int, first: int = first) -> None:
                on_batch(first + done, len(missing))

            block[piece] = encoder.score(tokens, on_batch=told)[0]
        return block

    def _add_features(self, texts: Sequence[str], block: np.ndarray) -> None:
        if not texts:
            return
        first = self._firsts[-1] + len(self._blocks[-1]) if self._blocks else 0
        self._place.update(zip(texts, itertools.count(first)))
        self._blocks.append(block)
        self._firsts.append(first)

    def _gather_features(self, places: np.ndarray) -> np.ndarray:
        """The rows at these places: the block itself where that is what they are."""
        number = bisect.bisect_right(self._firsts, int(places[0])) - 1
        first, block = self._firsts[number], self._blocks[number]
        if len(places) == len(block) and (places == np.arange(first, first + len(block))).all():
            seen = block.view()
            seen.flags.writeable = False
            return seen
        dtype = np.float16 if self._scratch is not None and len(places) > self._most_texts else np.float32
        found = scratch_arrays.empty_scratch_array((len(places), block.shape[1]), dtype, folder=self._scratch)
        for first, block in zip(self._firsts, self._blocks, strict=True):
            inside = np.flatnonzero((places >= first) & (places < first + len(block)))
            for piece in scratch_arrays.pieces(len(inside)):
                found[inside[piece]] = block[places[inside[piece]] - first]
        return found

    def _make_room(self, new: Sequence[str], wanted: dict[str, None]) -> None:
        """Forget what is too much: what this look did not want first, then the last of what it computed."""
        if self._scratch is not None:
            return
        for text in [text for text in self._place if text not in wanted]:
            if len(self._place) <= self._most_texts:
                break
            del self._place[text]
        for text in reversed(new):
            if len(self._place) <= self._most_texts:
                break
            del self._place[text]
        kept = np.fromiter(self._place.values(), dtype=np.int64, count=len(self._place))
        held = [
            ((kept >= first) & (kept < first + len(one))).any()
            for first, one in zip(self._firsts, self._blocks, strict=True)
        ]
        if not all(held) and held[-1]:  # the last says where the next one begins
            self._blocks = list(itertools.compress(self._blocks, held))
            self._firsts = list(itertools.compress(self._firsts, held))
