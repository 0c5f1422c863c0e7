"""Which encoding bytes that are not UTF-8 are in, as far as can be told: charset-normalizer, with a word on Latin ones.

charset-normalizer judges by disorder and by the frequency of letters. That tells scripts apart, but hardly windows-1252
from windows-1250 and 1254, which agree in most bytes of a short text; these are told apart by what is no letter, or no
letter of such a word, in windows-1252.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_CANDIDATES = (
    "cp1252",
    "cp1250",
    "cp1254",
    "cp1251",
    "cp932",
    "gb18030",
    "big5",
    "euc_kr",
    "euc_jp",
    "koi8_r",
    "cp1253",
    "cp1255",
    "cp1256",
    "mac_roman",
    "cp850",
)
_FAMILY = ("cp1252", "cp1250", "cp1254")
_LATIN = (*_FAMILY, "mac_roman", "cp850")
_EQUAL = 0.02
_SURE = -0.05

_SLAVIC = re.compile(rb"[a-z][\xb3\xb9\xba\xbc\xbe\xbf][a-z]|[\x8a\x8e\x9a\x9e]")
"""Polish, Romanian and Slovak letters that are signs in cp1252, and s and z with a caron."""
_HUNGARIAN = re.compile(rb"[\xf5\xfb]")
_NOT_HUNGARIAN = re.compile(rb"[\xe0\xe3\xe4\xe7\xe8\xea]")
_TURKISH = re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]")
"""Read as cp1252: eth, thorn and y with an acute, which in Icelandic stand beside these."""
_ICELANDIC = re.compile(rb"[\xc1\xc6\xcd\xd3\xda\xe1\xe6\xed\xf3\xfa]")


def guess_encodings(piece: bytes, *, fits: Callable[[str], bool]) -> list[str]:
    """Names of the likeliest encodings: one where it can be told, several where not, none where nothing fits.

    `piece` holds lines with bytes beyond ASCII; `fits` says whether the whole file can be decoded so.
    """
    import charset_normalizer

    matches = charset_normalizer.from_bytes(
        piece, cp_isolation=list(_CANDIDATES), enable_fallback=False, preemptive_behaviour=False
    )
    scores = {
        name: match.chaos - 0.2 * match.coherence
        for match in matches
        for name in match.could_be_from_charset  # those that make the same text of it
    }
    is_latin = _is_mostly_ascii(piece)
    if is_latin and not scores:
        scores = dict.fromkeys(_FAMILY, 0.0)
    scores = {name: score for name, score in scores.items() if name in _CANDIDATES and fits(name)}
    best = [name for name in _CANDIDATES if name in scores and scores[name] <= min(scores.values()) + _EQUAL]
    latin = [name for name in best if name in _LATIN]
    if latin and (is_latin or latin == best):
        return [_encoding_of_family(piece, fits) if latin[0] in _FAMILY else latin[0]]
    return best if len(best) > 1 and min(scores.values()) > _SURE else best[:1]


def _is_mostly_ascii(piece: bytes) -> bool:
    """Whether most letters are those of English, as in every text in a Latin script."""
    beyond = sum(byte >= 0x80 for byte in piece)
    return beyond < 0.4 * (beyond + sum(byte < 0x80 and chr(byte).isalpha() for byte in piece))


def _encoding_of_family(piece: bytes, fits: Callable[[str], bool]) -> str:
    first = "cp1252"
    if _TURKISH.search(piece) and not _ICELANDIC.search(piece):
        first = "cp1254"
    elif _SLAVIC.search(piece) or (_HUNGARIAN.search(piece) and not _NOT_HUNGARIAN.search(piece)):
        first = "cp1250"
    return next((name for name in (first, *_FAMILY) if fits(name)), first)
