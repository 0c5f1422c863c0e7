"""Which texts become demonstrations: representatives of what student and LLM agree on (FreeAL section 3.2, "active
label refinement" back to the LLM)."""

from __future__ import annotations

import numpy as np

from freeal.compute import scratch_arrays

MAX_CANDIDATES = 1000
"""Candidates per class that k-medoids sees; its distance matrix grows with their square."""
TWIN_DISTANCE = 0.02
"""Cosine distance up to which two texts say the same: a demonstration of each would waste a place in the prompt."""


def representatives(
    embeddings: np.ndarray,
    label_ids: np.ndarray,
    agree: np.ndarray,
    clean: np.ndarray,
    *,
    per_class: int,
    top_share: float,
    seed: int,
) -> list[int]:
    """Positions of up to `per_class` representatives of every class, class by class, cleanest first.

    `embeddings` float [n, d] of unit length; `label_ids` int [n], negative where there is no label; `agree` bool [n]:
    student and LLM name the same label; `clean` float [n]: P(clean). Of each class's texts that agree, the `top_share`
    with the highest P(clean) (but at least `per_class`, where there are as many) are candidates; k-medoids (FasterPAM)
    picks among them. Near-identical texts are picked once. A class without candidates is absent. Deterministic for a
    seed.
    """
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in np.unique(label_ids[label_ids >= 0]):
        members = np.flatnonzero((label_ids == label) & agree)
        candidates = _cleanest_members(members, clean, rng, per_class=per_class, top_share=top_share)
        medoids = _medoids(scratch_arrays.widened(embeddings[candidates]), per_class, rng)
        picked = candidates[medoids]
        chosen.extend(int(index) for index in picked[np.argsort(-clean[picked], kind="stable")])
    return chosen


def _cleanest_members(
    members: np.ndarray, clean: np.ndarray, rng: np.random.Generator, *, per_class: int, top_share: float
) -> np.ndarray:
    # many texts share a P(clean) of one; among equals chance decides, not the order of the file
    order = rng.permutation(members)
    order = order[np.argsort(-clean[order], kind="stable")]
    count = max(per_class, int(np.ceil(top_share * len(order))))
    candidates = order[:count]
    if len(candidates) > MAX_CANDIDATES:
        candidates = rng.permutation(candidates)[:MAX_CANDIDATES]
    return np.asarray(candidates)


def _medoids(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    import kmedoids

    distances = np.clip(1.0 - vectors @ vectors.T, 0.0, None).astype(np.float32)
    kept = _without_twins(distances)
    if len(kept) <= count:
        return kept
    np.fill_diagonal(distances, 0.0)
    within = np.ascontiguousarray(distances[np.ix_(kept, kept)])
    # one thread: the sums then have one order, and the answer is the same on every machine
    found = kmedoids.fasterpam(within, count, init="build", random_state=int(rng.integers(2**31)), n_cpu=1)
    return kept[np.sort(np.asarray(found.medoids, dtype=np.int64))]


def _without_twins(distances: np.ndarray) -> np.ndarray:
    kept: list[int] = []
    for position in range(len(distances)):
        if not (distances[position, kept] <= TWIN_DISTANCE).any():
            kept.append(position)
    return np.array(kept, dtype=np.int64)
