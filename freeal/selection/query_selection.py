"""Whom to ask when a round may ask only a share of the pool (FreeAL, Table 8: 10 % a round, nearly the same accuracy).

The first share stands for the whole pool; later ones go where the student knows least.
"""

from __future__ import annotations

import numpy as np

from freeal.compute import scratch_arrays

CLUSTERS = 32
"""Regions of the embedding space a share is spread over; a share smaller than this is spread over as many."""
MOST_CLUSTERED = 100_000
"""Texts, drawn by chance, that the regions are found from where there are more; then each text has its nearest. A
region's share of the pool is told within 0.3 points by so many."""

TURNING_ODDS = 2.0
"""A pool of earlier and new answers weighs both about alike, and an answer of the packaged model seldom makes its label
more than twice as likely as the next one. The sample, where every text was asked again: among the 30 % that are most
open the new answers were right in 64 % and the old in 58; among the next 45 % (up to 0.92 sure) in 75 and 79."""
PILOT_TEXTS = 50
"""Of a cascade's later language model, how many texts drawn by chance it answers first. They tell how far the
confidence so far can be believed, within about seven points."""


def by_chance(indices: list[int], count: int, *, seed: int) -> list[int]:
    """`count` of `indices` drawn by chance, ascending; all where there are no more."""
    if count >= len(indices):
        return list(indices)
    return sorted(int(index) for index in np.random.default_rng([seed, count]).choice(indices, count, replace=False))


def queries_left_open(proba: np.ndarray, indices: list[int], *, threshold: float) -> list[int]:
    """Those of `indices` whose likeliest label has at most the probability `threshold` in `proba` [n, labels], the most
    open first."""
    surest = proba[indices].max(axis=1)
    order = np.argsort(surest, kind="stable")
    return [indices[position] for position in order if surest[position] <= threshold]


def spread_queries(embeddings: np.ndarray, count: int, *, seed: int) -> list[int]:
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
    if len(embeddings) <= MOST_CLUSTERED:
        own = MiniBatchKMeans(clusters, n_init=1, random_state=seed, batch_size=1024).fit(embeddings).labels_
    else:
        drawn = np.sort(rng.choice(len(embeddings), MOST_CLUSTERED, replace=False))
        means = MiniBatchKMeans(clusters, n_init=1, random_state=seed, batch_size=1024)
        means.fit(scratch_arrays.widened(embeddings[drawn]))
        pieces = scratch_arrays.pieces(len(embeddings))
        own = np.concatenate([means.predict(scratch_arrays.widened(embeddings[piece])) for piece in pieces])
    # in order of cluster, shuffled within: every n-th of that order takes from each cluster what is its due
    order = rng.permutation(len(embeddings))
    order = order[np.argsort(own[order], kind="stable")]
    steps = (np.arange(count) + rng.random()) * len(embeddings) / count
    return sorted(int(position) for position in order[steps.astype(np.int64)])


def queries_that_can_change(
    posterior: np.ndarray, indices: list[int], *, clean: np.ndarray, threshold: float, scored: np.ndarray
) -> list[int]:
    """Those of `indices` whose label another answer can change for the better.

    `clean` float [n] is the probability of the language model's label (0 where it gave none): above `threshold` it is
    trusted. A model that gives probabilities (`scored`, bool [n]: its answer to that text has them) is pooled with what
    it said before, so that one more answer turns a label only where `posterior` [n, labels] leaves the runner-up at
    least 1 / TURNING_ODDS of the likeliest label's probability.
    """
    best = np.sort(posterior[indices], axis=1)
    close = best[:, -2] * TURNING_ODDS >= best[:, -1]
    open_still = (clean[indices] <= threshold) & (close | ~scored[indices])
    return [index for index, is_open in zip(indices, open_still, strict=True) if is_open]


def most_open_queries(proba: np.ndarray, indices: list[int], count: int) -> list[int]:
    """The `count` of `indices` whose label is most open to the student, by its highest probability in `proba`
    [n, labels]; ascending. Of equals the first come first."""
    surest = proba[indices].max(axis=1)
    chosen = np.argsort(surest, kind="stable")[:count]
    return sorted(indices[position] for position in chosen)
