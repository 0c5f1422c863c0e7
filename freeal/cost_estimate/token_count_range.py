"""How many tokens a text may come to, from low to high, without the tokenizer of the model that will read it.

The ranges hold characters per token. Measured with SmolLM2's tokenizer (49,152 tokens): English reviews 2.5 to 4.9, 4.1
on average; digits 1.1; Cyrillic 1.3; Arabic 0.9; Chinese, Japanese and Korean 0.5. Larger vocabularies, as those of
the network models, need fewer tokens for other scripts than Latin: hence the upper ends.
"""

from __future__ import annotations

import dataclasses

_ASCII = (3.0, 4.9)
_DIGITS = (0.8, 3.0)
_EAST_ASIAN = (0.5, 1.6)
_OTHER = (0.8, 3.0)

_EAST_ASIAN_BLOCKS = (
    range(0x1100, 0x1200),
    range(0x2E80, 0xA4D0),
    range(0xAC00, 0xD800),
    range(0xF900, 0xFB00),
    range(0xFE30, 0xFFF0),
    range(0x20000, 0x40000),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """An amount between `low` and `high`."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: Span | float) -> Span:
        low, high = (factor.low, factor.high) if isinstance(factor, Span) else (factor, factor)
        return Span(self.low * low, self.high * high)


NOTHING = Span()


def token_span(text: str) -> Span:
    """Tokens that `text` may come to."""
    ascii_bytes = text.encode("ascii", "ignore")
    digits = len(ascii_bytes) - len(ascii_bytes.translate(None, b"0123456789"))
    counts = [(_ASCII, len(ascii_bytes) - digits), (_DIGITS, digits)]
    if len(ascii_bytes) != len(text):
        foreign = [ord(character) for character in text if character > "\x7f"]
        east_asian = sum(any(code in block for block in _EAST_ASIAN_BLOCKS) for code in foreign)
        counts += [(_EAST_ASIAN, east_asian), (_OTHER, len(foreign) - east_asian)]
    low = sum(count / most for (_, most), count in counts)
    return Span(low, sum(count / least for (least, _), count in counts))
