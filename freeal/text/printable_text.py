"""Text of strangers made harmless for eyes: a terminal, a log, a text file. What JSON holds stays as it is."""

from __future__ import annotations

import re

_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, ESC among them: a terminal obeys them. Not tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these turn the order of what is read around
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb"  # these are not seen at all
    "\u2028\u2029"  # line breaks that are not seen as such
    "\ud800-\udfff]"  # halves of a pair: bytes of a file name that were no UTF-8
)


def visible(text: str) -> str:
    """`text` with what a terminal would obey, and what cannot be written, as an escape such as `\\x1b`."""
    return _UNSHOWN.sub(_escape, text)


def one_line(text: str) -> str:
    """`visible` text on one line."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def is_visible(name: str) -> bool:
    """Whether a name can be shown as it is, on one line."""
    return one_line(name) == name


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's way of keeping a byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
