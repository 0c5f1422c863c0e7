"""Characters nobody sees: a name that holds one looks like another name and is none."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by their category, and nothing to see: Hangul fillers, the empty Braille cell."""
_JOINERS = frozenset("\u200c\u200d")
"""Between letters of some scripts and between emoji they change what is seen; beside Latin letters they do not."""
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_BLACK_FLAG, _TAGS = "\U0001f3f4", range(0xE0020, 0xE0080)
"""England's flag is a black one and tag characters behind it."""


def invisible(text: str) -> list[str]:
    """The characters of `text` that are not seen, and the spaces that are none, as `U+200B`; each once, in order."""
    return list(dict.fromkeys(f"U+{ord(text[place]):04X}" for place in _places_of_invisible(text)))


def made_visible(text: str) -> str:
    """`text` with a plain space for every other kind of space, and without what is not seen."""
    hidden = set(_places_of_invisible(text))
    kept = (
        " " if _is_space(character) else "" if place in hidden else character for place, character in enumerate(text)
    )
    return " ".join("".join(kept).split())


def _places_of_invisible(text: str) -> Iterator[int]:
    for place, character in enumerate(text):
        if character in _JOINERS:
            if not (_is_beyond_latin(text[place - 1 : place]) and _is_beyond_latin(text[place + 1 : place + 2])):
                yield place
        elif ord(character) in _TAGS and _BLACK_FLAG in text[:place]:
            continue
        elif character in _BLANKS or _is_odd_space(character) or unicodedata.category(character) in _HIDDEN:
            yield place


def _is_beyond_latin(neighbour: str) -> bool:
    return bool(neighbour) and ord(neighbour) > 0x24F


def _is_space(character: str) -> bool:
    return character.isspace()


def _is_odd_space(character: str) -> bool:
    return character.isspace() and character != " "
