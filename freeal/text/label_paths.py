"""Labels within labels as text: a leaf of the tree is written as its path, `billing / refund / late`.

The tree is nothing but its leaves' paths: what a path begins with is a branch.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from freeal.text import label_names

SEPARATOR = " / "

BACK_OFF = 0.5
"""How probable a node must be, with all below it, to be named; what holds more than half is the likeliest of its level.
"""

TREE_MEANINGS = {
    "freeal_node": "with `kind: tree`: the deepest node that is as probable as `back_off` asks, with all below it; a "
    "label, or a branch above labels",
    "freeal_node_confidence": "with `kind: tree`: the probability of that node",
}
"""The columns of a tree of labels, each in words for a user: in annotated.csv behind ours of any job, in predictions
before the probabilities."""

_AS_WRITTEN = re.compile(r"\s*(?:/|>|\u2192|\u203a)\s*")


def parts(path: str) -> tuple[str, ...]:
    """The names on a path, the top first."""
    return tuple(path.split(SEPARATOR))


def joined(names: Sequence[str]) -> str:
    """Names, the top first, as a path."""
    return SEPARATOR.join(names)


def on_the_way(path: str) -> tuple[str, ...]:
    """The nodes from the top down to `path`, which is the last."""
    names = parts(path)
    return tuple(joined(names[:depth]) for depth in range(1, len(names) + 1))


def is_below(path: str, node: str) -> bool:
    """Whether `path` is the node or lies under it."""
    return path == node or path.startswith(node + SEPARATOR)


def branches(leaves: Sequence[str]) -> tuple[str, ...]:
    """The nodes that have others below them, each before what lies under it."""
    return tuple(dict.fromkeys(node for leaf in leaves for node in on_the_way(leaf)[:-1]))


def nodes(leaves: Sequence[str]) -> tuple[str, ...]:
    """All nodes, each before what lies under it."""
    return tuple(dict.fromkeys(node for leaf in leaves for node in on_the_way(leaf)))


def ways_to_say(leaves: Sequence[str]) -> dict[str, str]:
    """What may be written for a node -> the node: its path, or its own name where no other node has it, in whatever
    case."""
    known = nodes(leaves)
    names = Counter(label_names.spelling(parts(node)[-1]) for node in known)
    own = {name: node for node in known if names[label_names.spelling(name := parts(node)[-1])] == 1}
    return own | {node: node for node in known}


def find_node(said: str, leaves: tuple[str, ...]) -> str | None:
    """The node that a text names as `ways_to_say` allows, in whatever case, with one of / > \u2192 between names."""
    by_spelling = _by_spelling(leaves)
    for text in (said, _AS_WRITTEN.sub(SEPARATOR, said.strip())):
        if (node := by_spelling.get(label_names.spelling(text))) is not None:
            return node
    return None


def called(name: str, leaves: tuple[str, ...]) -> tuple[str, ...]:
    """The nodes whose own name this is, in whatever case: several where it stands under more than one branch."""
    spelling = label_names.spelling(name)
    return tuple(node for node in nodes(leaves) if label_names.spelling(parts(node)[-1]) == spelling)


@functools.lru_cache(maxsize=8)
def _by_spelling(leaves: tuple[str, ...]) -> dict[str, str]:
    return {label_names.spelling(way): node for way, node in ways_to_say(leaves).items()}


def indented_tree(leaves: Mapping[str, str]) -> str:
    """The tree of leaf -> meaning, a line per node, two blanks further in per level."""
    lines = []
    for node in nodes(list(leaves)):
        *above, name = parts(node)
        meaning = leaves.get(node, "")
        lines.append(f"{'  ' * len(above)}- {name}" + (f": {meaning}" if meaning else ""))
    return "\n".join(lines)
