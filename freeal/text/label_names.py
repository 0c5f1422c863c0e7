"""Names that a person, or the parser of answers, could take for one another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def composed(name: str) -> str:
    """The name with accents and letters as one character each (NFC), as it stands in every file."""
    return unicodedata.normalize("NFC", name)


def spelling(name: str) -> str:
    """What is the same for two ways to write a name: in whatever case."""
    return composed(name).casefold()


def folded(name: str) -> str:
    """Without case, compatibility forms and superfluous spaces: what the parser of answers compares."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def unaccented(name: str) -> str:
    """`folded`, and without accents."""
    parts = unicodedata.normalize("NFKD", folded(name))
    return "".join(character for character in parts if not unicodedata.combining(character))


def accent_twins(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of labels that differ by accents alone."""
    seen: dict[str, str] = {}
    pairs = ((seen.setdefault(unaccented(name), name), name) for name in labels)
    return [(twin, name) for twin, name in pairs if twin != name]


def quoted(text: str, limit: int = 40) -> str:
    """A value of the user's as it stands in a message: in quotes, at most `limit` characters of it."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
