"""Numbers and texts as the page shows them."""

from __future__ import annotations

import re

TEXT_SHOWN = 300
"""Characters of a row's text in a table; hover texts are shorter."""

MISSING = "\u2013"
"""Stands where there is no value."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def percent(share: float | None) -> str:
    """0.7481 as 74.8 %; a dash for what is not known."""
    return MISSING if share is None else f"{share * 100:.1f} %"


def count(number: float) -> str:
    """12345 as 12,345."""
    return f"{number:,.0f}"


def dollars(usd: float, *, is_priced: bool = True) -> str:
    """US dollars, with more digits the fewer there are; a dash where none were counted because a price is missing."""
    if usd == 0.0:
        return "0 USD" if is_priced else MISSING
    return f"{usd:,.2f} USD" if usd >= 1.0 else f"{usd:.4f} USD"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90.0:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400.0 else f"{seconds / 3600:.1f} h"


def plural(number: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count(number)} {what}" + ("" if number == 1 else "s")


def short(text: str, limit: int = TEXT_SHOWN) -> str:
    """A text in one line, cut to `limit` characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def middle_out(name: str, limit: int) -> str:
    """A name cut in its middle, because names of labels often begin alike."""
    if len(name) <= limit:
        return name
    tail = (limit - 1) // 2
    return f"{name[: limit - 1 - tail]}…{name[-tail:]}"


def printable(text: str) -> str:
    """Control characters and halves of surrogate pairs, which no file in UTF-8 can hold, as a visible mark."""
    return _CONTROLS.sub("�", text)
