"""Whom to ask when a round may ask only a share of the pool (FreeAL, Table 8: 10 % a round, nearly the same accuracy).

The first share stands for the whole pool; later ones go where the student knows least.
"""

from __future__ import annotations

import numpy as np

CLUSTERS = 32
"""Regions of the embedding space a share is spread over; a share smaller than this is spread over as many."""


def spread(embeddings: np.ndarray, count: int, *, seed: int) -> list[int]:
    """`count` positions spread over the embeddings [n, d] like the pool itself, ascending; all where `count` is not
    below n.

    Stratified sampling: the pool is clustered and each cluster gives its share, chosen at random. Deterministic for a
    seed.
    """
    from sklearn.cluster import MiniBatchKMeans

    if count >= len(embeddings):
        return list(range(len(embeddings)))
    rng = np.random.default_rng(seed)
    clusters = min(CLUSTERS, count)
    means = MiniBatchKMeans(clusters, n_init=1, random_state=seed, batch_size=1024).fit(embeddings)
    # in order of cluster, shuffled within: every n-th of that order takes from each cluster what is its due
    order = rng.permutation(len(embeddings))
    order = order[np.argsort(means.labels_[order], kind="stable")]
    steps = (np.arange(count) + rng.random()) * len(embeddings) / count
    return sorted(int(position) for position in order[steps.astype(np.int64)])


def most_open(proba: np.ndarray, indices: list[int], count: int) -> list[int]:
    """The `count` of `indices` whose label is most open to the student, by its highest probability in `proba`
    [n, labels]; ascending. Of equals the first come first."""
    surest = proba[indices].max(axis=1)
    chosen = np.argsort(surest, kind="stable")[:count]
    return sorted(indices[position] for position in chosen)
