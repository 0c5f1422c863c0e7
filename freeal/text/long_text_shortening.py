"""How much of long texts a language model is shown.

What does not fit is taken from the demonstrations first: the row is what is asked about. A cell of megabytes must not
cost more than a thousand rows, so there is an end to a row as well; of a longer one the beginning and the end stay,
where texts say what they are about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from freeal.types import Demonstration

MOST_TEXT_CHARACTERS = 50_000
MOST_DEMONSTRATION_CHARACTERS = 4_000
MOST_PROMPT_CHARACTERS = 60_000
"""Of a row and its demonstrations together, some 15,000 tokens of English."""
LEAST_DEMONSTRATION_CHARACTERS = 200
"""Demonstrations that would be shorter than this are left out instead, those farthest from the row first."""

HEAD_SHARE = 0.75
GAP = " [...] "


def shorten_to_ends(text: str, most_characters: int) -> str:
    """`text`, or of a longer one the first three quarters of what may stay and the last quarter."""
    if len(text) <= most_characters:
        return text
    head = round(HEAD_SHARE * (most_characters - len(GAP)))
    tail = most_characters - len(GAP) - head
    return f"{text[:head]}{GAP}{text[-tail:]}"


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What stands in one prompt. `cut` says that the text lost something, not merely the demonstrations."""

    text: str
    shared: tuple[Demonstration, ...]
    own: tuple[Demonstration, ...]
    cut: bool


def shorten_to_fit(text: str, *, shared: Sequence[Demonstration] = (), own: Sequence[Demonstration] = ()) -> Shown:
    """A row and its demonstrations, the nearest last, as far as they fit."""
    shown = shorten_to_ends(text, MOST_TEXT_CHARACTERS)
    demos = [*shared, *own]
    room = MOST_PROMPT_CHARACTERS - len(shown)
    most = MOST_DEMONSTRATION_CHARACTERS
    if sum(min(len(demo.text), most) for demo in demos) > room:
        kept = min(len(demos), room // LEAST_DEMONSTRATION_CHARACTERS)
        most = min(most, room // kept)
        dropped = len(demos) - kept
        shared, own = shared[dropped:], own[max(0, dropped - len(shared)) :]
    return Shown(
        shown, _shortened_demonstrations(shared, most), _shortened_demonstrations(own, most), cut=len(shown) < len(text)
    )


def _shortened_demonstrations(demos: Sequence[Demonstration], most_characters: int) -> tuple[Demonstration, ...]:
    """Demonstrations whose long texts are shortened to so many characters."""
    return tuple(
        demo
        if len(demo.text) <= most_characters
        else dataclasses.replace(demo, text=shorten_to_ends(demo.text, most_characters))
        for demo in demos
    )
