"""How right labels are that lie within labels: a wrong leaf of the right branch is no such error as a wrong branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freeal.text import label_paths
from freeal.types import Decision


def tree_metrics(truth: Sequence[str], given: Sequence[str | None], labels: Sequence[str]) -> dict[str, Any]:
    """Of rows that were given a node: `hierarchical_precision`, `hierarchical_recall` and `hierarchical_f1` over the
    nodes on the way to it and to the true one (Kiritchenko et al. 2006); `on_the_way`, the share that is the true one
    or on the way to it; `accuracy_by_level`, of rows whose truth goes as far, the share that is right to there.

    A truth that is no label but a branch of `labels` counts to there: what is given below it is neither right nor
    wrong. Empty without a row.
    """
    told = [
        _compared(label_paths.on_the_way(true), label_paths.on_the_way(said), is_label=true in labels)
        for true, said in zip(truth, given, strict=True)
        if said is not None
    ]
    if not told:
        return {}
    shared = sum(len(set(true).intersection(said)) for true, said in told)
    precision = shared / sum(len(said) for _, said in told)
    recall = shared / sum(len(true) for true, _ in told)
    f1 = 2.0 * precision * recall / (precision + recall) if shared else 0.0
    levels = []
    for level in range(max(len(true) for true, _ in told)):
        known = [true[level] == (said[level : level + 1] or [None])[0] for true, said in told if len(true) > level]
        levels.append(round(sum(known) / len(known), 4))
    right = sum(said == true[: len(said)] for true, said in told)
    scores = {"hierarchical_precision": precision, "hierarchical_recall": recall, "hierarchical_f1": f1}
    found: dict[str, Any] = {name: round(value, 4) for name, value in scores.items()}
    return found | {"on_the_way": round(right / len(told), 4), "accuracy_by_level": levels}


def tree_figures(
    per_row: Sequence[Decision | None], truth_nodes: Sequence[str | None] | None, labels: Sequence[str]
) -> dict[str, Any]:
    """How many rows backed off to a branch; where the truth is known, how right labels and nodes are along the tree.
    `per_row` and `truth_nodes` are by row, None where it has no text, or no true node."""
    decided = [one for one in per_row if one is not None]
    backed_off = sum(one.node not in labels for one in decided)
    found: dict[str, Any] = {"backed_off": round(backed_off / len(decided), 4) if decided else 0.0}
    rows = [
        (node, one)
        for node, one in zip(truth_nodes or (), per_row, strict=False)
        if node is not None and one is not None
    ]
    if not rows:
        return found
    said: dict[str, list[str | None]] = {
        "final": [one.label for _, one in rows],
        "node": [one.node for _, one in rows],
        "llm": [one.llm_label or one.llm_branch for _, one in rows],
        "student": [one.student_label for _, one in rows],
    }
    truth = [node for node, _ in rows]
    found |= {who: tree_metrics(truth, given, labels) for who, given in said.items()}
    return found | {"evaluated_rows": len(rows)}


def _compared(
    true: tuple[str, ...], said: tuple[str, ...], *, is_label: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return true, said if is_label else said[: len(true)]
