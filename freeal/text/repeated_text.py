"""Texts that say the same, though case and blanks differ."""

from __future__ import annotations

from collections.abc import Sequence


def unrepeated_texts(texts: Sequence[str], seen: set[str]) -> list[str]:
    """Texts that repeat none in `seen`, which grows by them."""
    new = []
    for text in texts:
        if normal(text) not in seen:
            seen.add(normal(text))
            new.append(text)
    return new


def normal(text: str) -> str:
    """A text by which repetitions are known: neither case nor blanks count."""
    return " ".join(text.casefold().split())
