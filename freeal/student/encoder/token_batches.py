"""Tokenised texts in batches of similar length: padding is wasted work, most of all on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

Tokens = list[list[int]]
"""Token ids per text, special tokens included, unpadded."""

BUCKET_BATCHES = 50
"""Texts are shuffled, then sorted by length within this many batches: near in length, yet new company every epoch."""


def shuffled_batches(
    lengths: np.ndarray, indices: np.ndarray, *, size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """`indices` in random batches of `size`, each of texts of similar length. `lengths` is indexed like the pool."""
    order = rng.permutation(indices)
    batches: list[np.ndarray] = []
    for start in range(0, len(order), size * BUCKET_BATCHES):
        bucket = order[start : start + size * BUCKET_BATCHES]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches.extend(bucket[first : first + size] for first in range(0, len(bucket), size))
    return [batches[position] for position in rng.permutation(len(batches))]


def sorted_by_length(lengths: np.ndarray, *, size: int, most_tokens: int | None = None) -> list[np.ndarray]:
    """All texts, longest first (a batch that does not fit in memory fails at once), in batches of `size`; of fewer
    where they would be more than `most_tokens` with their padding, of one at least."""
    order = np.argsort(-lengths, kind="stable")
    batches: list[np.ndarray] = []
    first = 0
    while first < len(order):
        fitting = size if most_tokens is None else most_tokens // max(1, int(lengths[order[first]]))
        batches.append(order[first : first + max(1, min(size, fitting))])
        first += len(batches[-1])
    return batches


def padded_batch(tokens: Sequence[list[int]], *, pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, int64 [batch, longest]."""
    longest = max(map(len, tokens))
    ids = np.full((len(tokens), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(tokens), longest), dtype=np.int64)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
