"""A file of text as lines, whatever its size: decoded and cut piece by piece.

Line breaks are CR, LF and CRLF and nothing else: U+2028, NEL, VT and FF are characters of a value. A line has its break
at its end. No more than one piece and the line under way is held.
"""

from __future__ import annotations

import codecs
import io
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table.packed_stream import open_bytes, unpacked_pieces

MOST_LINE_CHARACTERS = 64 * 2**20
"""Of one line. A packed gigabyte of zeros is one line."""

_HOLE = "\0" * 16
"""Zero bytes one behind the other: a hole that a power cut or a copy that broke off left. A few may be a value's."""
_ASCII_STRANGERS = "\v\f\x1c\x1d\x1e"
_OTHER_STRANGERS = "\x85\u2028\u2029"


def lines_of(stream: io.BufferedIOBase, encoding: str, path: Path) -> Iterator[str]:
    """The lines of a text, each with its break; byte-order marks at the very beginning are left out.

    Raises `InputError` with line and byte for what is not in this encoding, and for a line without an end.
    """
    return itertools.chain.from_iterable(_blocks_of_lines(stream, encoding, path))


def _blocks_of_lines(stream: io.BufferedIOBase, encoding: str, path: Path) -> Iterator[Iterable[str]]:
    decoder = codecs.getincrementaldecoder(encoding)()
    rest, read_bytes, begun = "", 0, False
    for data in unpacked_pieces(stream, path):
        read_bytes += len(data)
        try:
            text = decoder.decode(data, not data)
        except UnicodeError as cause:
            raise _undecodable_error(cause, path=path, encoding=encoding, read_bytes=read_bytes) from cause
        if not begun:
            text = text.lstrip("\ufeff")
            begun = bool(text)
        if "\0" in text and _HOLE in text:
            raise _zero_bytes_error(path, encoding, read_bytes - len(data) + data.find(b"\0\0"))
        # a CR at the very end may be the first half of a CRLF
        cut = max(text.rfind("\n"), text.rfind("\r", 0, max(0, len(text) - 1))) + 1
        if not data:
            yield _split_lines(rest + text)
        elif cut:
            yield _split_lines(rest + text[:cut])
            rest = text[cut:]
        else:
            rest += text
        if len(rest) > MOST_LINE_CHARACTERS:
            raise InputError(
                f"has a line of more than {MOST_LINE_CHARACTERS:,} characters",
                where=Where(file=path),
                hint="is it a table at all?",
            )


def _split_lines(text: str) -> Iterable[str]:
    """Lines with their breaks. `splitlines` is the fastest way, but it knows more line breaks than a CSV does."""
    if any(mark in text for mark in _ASCII_STRANGERS) or (
        not text.isascii() and any(mark in text for mark in _OTHER_STRANGERS)
    ):
        return io.StringIO(text, newline="")
    return text.splitlines(keepends=True)


def _zero_bytes_error(path: Path, encoding: str, offset: int) -> InputError:
    return InputError(
        f"holds zero bytes from byte {offset + 1:,} on, as a power cut or a copy that broke off leaves them: rows may "
        "be missing",
        where=Where(file=path, line=line_at(path, encoding, offset)),
        hint="copy or export it again; if what stands before them is all there is, cut them off: "
        "tr -d '\\000' < FILE > MENDED",
    )


def _undecodable_error(cause: UnicodeError, *, path: Path, encoding: str, read_bytes: int) -> InputError:
    hint = "save it as UTF-8, or name its encoding under csv.encoding"
    if not isinstance(cause, UnicodeDecodeError):  # UTF-16 without its mark, for one
        return InputError(f"is not {encoding} text: {cause}", where=Where(file=path, line=1), hint=hint)
    offset = read_bytes - len(cause.object) + cause.start
    found = cause.object[cause.start : max(cause.end, cause.start + 1)].hex(" ")
    return InputError(
        f"is not {encoding} text: byte {offset + 1:,} ({found})",
        where=Where(file=path, line=line_at(path, encoding, offset)),
        hint=hint,
    )


def line_at(path: Path, encoding: str, offset: int) -> int:
    """The line, counted from 1, on which the (unpacked) byte at `offset` stands."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    breaks, after_return, left = 0, False, offset
    with open_bytes(path) as stream:
        for data in unpacked_pieces(stream, path):
            try:
                text = decoder.decode(data[:left])
            except UnicodeError:  # told UTF-16, and there is no mark: it is the beginning that is wrong
                break
            left -= len(data)
            breaks += text.count("\n") + text.count("\r") - text.count("\r\n")
            breaks -= after_return and text.startswith("\n")
            after_return = text.endswith("\r") if text else after_return
            if left <= 0:
                break
    return breaks + 1
