"""True labels that the table holds already: measured with, taught, or half of them each (`label_use` of a spec).

What is taught is treated like the word of a person: never asked about, always learned from, a demonstration where it
serves, and no figure of quality counts it.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from freeal.pool.text_pool import EMPTY, Pool
from freeal.types import LabelUse

_STREAM = 0x7EAC
"""Keeps these draws apart from others of the same seed."""


def teach_evaluate_split(pool: Pool, use: LabelUse, *, seed: int) -> tuple[Pool, dict[int, str]]:
    """The pool whose `truth` is what may be measured with, and the labels that are taught, by pool index.

    A text whose rows contradict each other teaches nothing. With `split` half of each label's texts teach, drawn by
    chance, near duplicates together; the odd one of a label measures, so that a label of one text is not taught away.
    """
    known = _known_labels_by_text(pool)
    if use == "evaluate" or not known:
        return pool, {}
    taught = known if use == "teach" else _half_to_teach(known, pool, seed=seed)
    truth = tuple(
        None if index in taught else label for index, label in zip(pool.row_index, pool.truth or (), strict=True)
    )
    nodes = pool.truth_nodes and tuple(
        None if index in taught else node for index, node in zip(pool.row_index, pool.truth_nodes, strict=True)
    )
    return dataclasses.replace(pool, truth=truth if any(truth) else None, truth_nodes=nodes), taught


def _known_labels_by_text(pool: Pool) -> dict[int, str]:
    said: dict[int, set[str]] = defaultdict(set)
    for index, label in zip(pool.row_index, pool.truth or (), strict=False):
        if index != EMPTY and label is not None:
            said[index].add(label)
    return {index: labels.pop() for index, labels in sorted(said.items()) if len(labels) == 1}


def _half_to_teach(known: Mapping[int, str], pool: Pool, *, seed: int) -> dict[int, str]:
    rng = np.random.default_rng([seed, _STREAM])
    groups: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, label in known.items():
        groups[label][pool.group(index)].append(index)
    taught: set[int] = set()
    for label in sorted(groups):
        members = list(groups[label].values())
        chosen = rng.permutation(len(members))[: len(members) // 2]
        taught.update(index for place in chosen for index in members[place])
    # a group whose texts have two labels must not stand on both sides: where one half took a part of it, all of it goes
    torn = {pool.group(index) for index in taught}
    return {index: label for index, label in known.items() if pool.group(index) in torn}
