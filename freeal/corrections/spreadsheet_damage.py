"""What a trip through a spreadsheet does to a text: 00123 becomes 123, 1/2 a date, an emoji a question mark.

A cell that changed so is still witness of the row it came from, one that says something else is not.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from freeal.text.blank_text import trimmed

_ERRORS = re.compile(r"#[A-ZÄÖÜ/0-9]{1,12}[!?]?|#{2,}")
_LOST = "?\ufffd"
"""What stands for a character that the encoding does not have."""
_NUMBER = re.compile(r"([-+]?)(\d[\d.,' \u00a0\u202f]*)(?:e([-+]?\d+))?\s*%?", re.IGNORECASE)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan", "feb", "mar mrz mär", "apr avr abr", "may mai", "jun", "jul", "aug ago", "sep set", "oct okt", "nov",
            "dec dez dic",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_DATE_SIGNS = re.compile(r"[\d\s./,:\-]*")
_SAME_DIGITS = 5e-6
"""1,23457E+19 keeps six digits."""
_LONG = 100
"""Characters of a text that a spreadsheet may have cut."""


def plain(text: str) -> str:
    """Without white space, forms of Unicode and characters nobody sees: what any program may change."""
    seen = "".join(mark for mark in unicodedata.normalize("NFKC", text) if unicodedata.category(mark) != "Cf")
    return " ".join(seen.split())


def says_nothing(cell: str) -> bool:
    """Whether a cell is no witness of anything: empty, an error of a formula, or signs for lost characters."""
    bare = trimmed(cell)
    return not bare or _ERRORS.fullmatch(bare) is not None or not bare.strip(_LOST + " ")


def alike_but_for_spreadsheet(own: str, seen: str) -> bool:
    """Whether the cell `own` may have become `seen` in a spreadsheet."""
    one, other = plain(own), plain(seen)
    if one == other or one.casefold() == other.casefold():
        return True
    if _is_equal_number(one, other) or _is_date_of(one, other) or _lost_characters(own, seen):
        return True
    return len(other) >= _LONG and one.startswith(other)


def number_in_spreadsheet(text: str) -> float | None:
    """A number as a spreadsheet reads one, in any country's writing; None for other text."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    sign, digits, exponent = found.groups()
    digits = re.sub(r"[' \u00a0\u202f]", "", digits).rstrip(".,")
    marks = [mark for mark in digits if mark in ".,"]
    if len(set(marks)) == 2 or len(marks) == 1:  # the last one is the decimal point
        whole, _, decimals = digits.rpartition(marks[-1])
        digits = f"{re.sub('[.,]', '', whole)}.{decimals}"
    try:
        value = float(f"{sign}{re.sub(',', '', digits)}e{exponent or 0}")
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _is_equal_number(one: str, other: str) -> bool:
    first, second = number_in_spreadsheet(one), number_in_spreadsheet(other)
    return first is not None and second is not None and math.isclose(first, second, rel_tol=_SAME_DIGITS)


def _is_date_of(one: str, other: str) -> bool:
    """1/2 or 3-4 as a date: the numbers are there, months by number or name, perhaps with a year or midnight."""
    if not _DATE_SIGNS.fullmatch(one) and not _month_numbers(one):
        return False
    first, second = _numbers(one), _numbers(other)
    if len(first) < 2 or len(second) < 2 or any(word is None for word in (*first, *second)):
        return False
    left = list(second)
    for number in first:
        twin = next((one for one in left if one == number or (one or 0) % 100 == number), None)
        if twin is None:
            return False
        left.remove(twin)
    return all(number == 0 or (number or 0) > 1900 for number in left)


def _month_numbers(text: str) -> bool:
    return any(number is not None for number in map(_month, re.findall(r"[^\W\d_]+", text)))


def _numbers(text: str) -> list[int | None]:
    """Numbers and months in a text, None for a word that is neither."""
    return [int(word) if word.isdigit() and word.isascii() else _month(word) for word in _WORDS.findall(text)]


def _month(word: str) -> int | None:
    return _MONTHS.get(unicodedata.normalize("NFC", word).casefold()[:3])


def _lost_characters(one: str, other: str) -> bool:
    """Whether `other` is `one` with each run of characters beyond ASCII lost, or read in another encoding.

    Of the characters as they stand: a compatibility form makes digits of what is left of one.
    """
    if one.isascii() or (other.isascii() and not any(mark in other for mark in _LOST)):
        return False
    left, right = _ascii_only(one), _ascii_only(other)
    return left == right and sum(map(str.isalnum, left)) >= 2


def _ascii_only(text: str) -> str:
    return "".join(mark for mark in text if mark.isascii() and mark not in _LOST and not mark.isspace())


def only_match(seen: str, texts: Iterable[str]) -> str | None:
    """The one text that may have become `seen`; None where there is none, or several."""
    found = [text for text in texts if alike_but_for_spreadsheet(text, seen)]
    return found[0] if len(found) == 1 else None
