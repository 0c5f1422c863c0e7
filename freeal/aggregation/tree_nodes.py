"""Labels that are a tree: probabilities add up from its leaves, and what is not sure enough backs off to a branch.

A label is a leaf, written as its path (freeal/text/label_paths.py).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from freeal.text import label_paths

LEAST_SURE, MOST_SURE = 0.75, 0.98
"""How much an answer that names a branch is believed, whatever confidence it states: one that states none is still an
answer, and no stated one is a certainty."""
_ROUNDING = 1e-6


def below_branch(branch: str, labels: Sequence[str], *, confidence: float) -> np.ndarray:
    """What an answer that names a branch says of each label, float [labels]: it does not tell those below apart, nor
    those outside; the two weigh as its `confidence` has it. 1 for all where the branch holds them all."""
    below = np.array([label_paths.is_below(label, branch) for label in labels])
    if below.all():
        return np.ones(len(labels))
    sure = min(max(confidence, LEAST_SURE), MOST_SURE)
    return np.asarray(np.where(below, sure, 1.0 - sure))


def within_branches(proba: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`proba` [n, labels] with each row times its weights [n, labels], of sum 1 again; rows of 1 change nothing."""
    open_rows = (weights != 1.0).any(axis=1)
    found = np.array(proba, dtype=np.float64)
    product = np.maximum(found[open_rows], 1e-12) * weights[open_rows]
    found[open_rows] = product / product.sum(axis=1, keepdims=True)
    return found


def node_probabilities(proba: np.ndarray, labels: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """All nodes of the tree, each before those below it, and the probability of each: float64 [n, nodes] of float
    [n, labels]."""
    tree = _tree(labels)
    return tree.nodes, np.asarray(proba, dtype=np.float64) @ tree.members.T


def deepest_nodes(proba: np.ndarray, labels: tuple[str, ...], *, threshold: float) -> tuple[list[str], np.ndarray]:
    """The deepest node of each row that is as probable as `threshold`, and its probability, float64 [n].

    From the top: the likeliest node below, as long as it reaches the threshold; of the top level, the likeliest
    anyway. `proba` is float [n, labels], whose rows sum to 1.
    """
    tree = _tree(labels)
    names, shares = node_probabilities(proba, labels)
    at = _likeliest(shares, tree.top)
    is_open = np.ones(len(shares), dtype=bool)
    while is_open.any():
        is_open &= np.isin(at, list(tree.children))
        for node in np.unique(at[is_open]).tolist():
            rows = np.flatnonzero(is_open & (at == node))
            next_node = _likeliest(shares[rows], tree.children[node])
            reached = shares[rows, next_node] >= threshold - _ROUNDING
            at[rows[reached]] = next_node[reached]
            is_open[rows[~reached]] = False
    found = np.minimum(shares[np.arange(len(shares)), at], 1.0)
    return [names[node] for node in at.tolist()], found


def _likeliest(shares: np.ndarray, among: Sequence[int]) -> np.ndarray:
    return np.asarray(np.array(among)[shares[:, among].argmax(axis=1)])


@dataclasses.dataclass(frozen=True, slots=True)
class BackOff:
    """The rule by which a model of `labels` names a node: how probable it must be."""

    labels: tuple[str, ...]
    threshold: float

    def nodes(self, proba: np.ndarray) -> tuple[list[str], np.ndarray]:
        """`deepest_nodes` of float [n, labels]."""
        return deepest_nodes(proba, self.labels, threshold=self.threshold)


class _Tree:
    """`members` float [nodes, labels]: 1 where a label is the node or lies under it; nodes by their place."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.nodes = label_paths.nodes(labels)
        place = {node: number for number, node in enumerate(self.nodes)}
        self.members = np.zeros((len(self.nodes), len(labels)))
        for position, label in enumerate(labels):
            for node in label_paths.on_the_way(label):
                self.members[place[node], position] = 1.0
        self.top: list[int] = []
        self.children: dict[int, list[int]] = {}
        for node in self.nodes:
            *_, parent, _ = ("", "", *label_paths.on_the_way(node))
            below = self.top if not parent else self.children.setdefault(place[parent], [])
            below.append(place[node])


@functools.lru_cache(maxsize=8)
def _tree(labels: tuple[str, ...]) -> _Tree:
    return _Tree(labels)
