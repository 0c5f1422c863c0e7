"""Several labels of one text as one string: `billing;refund`, in the order of the spec, and `(none)` for no label.

A `;` or a backslash within a name stands behind a backslash, so that every name can be told from two. An empty cell
says nothing, in files as everywhere; that no label fits is said by NONE.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from freeal.types import Kind

SEPARATOR = ";"
SIGNS = (SEPARATOR, ",", "|", "/", "+")
"""What people write between labels; where several would do, the first is taken."""
NONE = "(none)"
UNLABELLED = "(no label)"
"""Stands for texts of which nothing is said, where they are told from those to which none applies."""
_ESCAPE = "\\"


def joined(names: Iterable[str]) -> str:
    """The names as one string, in their order; NONE for none."""
    escaped = (name.replace(_ESCAPE, 2 * _ESCAPE).replace(SEPARATOR, _ESCAPE + SEPARATOR) for name in names)
    return SEPARATOR.join(escaped) or NONE


def split(said: str, separator: str = SEPARATOR) -> tuple[str, ...]:
    """The names in a string as `joined` makes them, or a person writes them with another `separator` (one character):
    trimmed, empty ones left out; none for NONE, in whatever case."""
    names, current, escaped = [], "", False
    for character in said:
        if escaped:
            current += character if character in (separator, SEPARATOR, _ESCAPE) else _ESCAPE + character
            escaped = False
        elif character == _ESCAPE:
            escaped = True
        elif character == separator:
            names.append(current)
            current = ""
        else:
            current += character
    found = [*names, current + (_ESCAPE if escaped else "")]
    kept = tuple(name for name in map(str.strip, found) if name)
    return () if len(kept) == 1 and kept[0].casefold() == NONE else kept


def in_order(names: Iterable[str], labels: Iterable[str]) -> str:
    """Some of the `labels` as one string, in the order of those, each once."""
    own = set(names)
    return joined(label for label in labels if label in own)


def few_combinations(labels: Sequence[str]) -> tuple[str, ...]:
    """Each of the `labels` alone, each with the one after it, so that all stand in two combinations, and NONE: all
    pairs would be as many as labels squared. Each as `joined` makes it."""
    pairs = (in_order(pair, labels) for pair in zip(labels, (*labels[1:], labels[0]), strict=True))
    return tuple(dict.fromkeys([*(joined([name]) for name in labels), *pairs, NONE]))


def parts(label: str, kind: Kind) -> tuple[str, ...]:
    """The labels that a text's label consists of: itself, or each of several."""
    return split(label) if kind == "multi" else (label,)
