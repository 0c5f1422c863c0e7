"""Which encoding a text file is in: told, marked, valid UTF-8, or the likeliest of those that fit."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table.encoding_guess import guess_encodings
from freeal.table.packed_stream import open_bytes, unpacked_pieces
from freeal.table.text_lines import line_at

SCANNED_BYTES = 256 * 2**20
"""How much of a file is looked at. What comes later must be in the same encoding, or is refused by its line."""

_SAMPLE_BYTES = 2**15
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ZEROS = {
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
}
"""Which of four bytes are mostly zero in a text of mostly ASCII characters."""

_NO_TEXTS = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")
"""Python's codecs from text to text that are no encoding of a file."""

_HINT = "save it as UTF-8, or name its encoding under csv.encoding"


@dataclasses.dataclass(frozen=True, slots=True)
class Encoding:
    """A Python codec's name, why it was taken, and whether that is a guess."""

    name: str
    because: str
    is_guess: bool = False


def told_encoding(name: str, path: Path) -> Encoding:
    """What the spec says. Raises `InputError` for a name that is no encoding of text."""
    try:
        "".encode(name)
        is_known = codecs.lookup(name).name not in _NO_TEXTS
    except (LookupError, ValueError):
        is_known = False
    if not is_known:
        raise InputError(
            f"encoding {name!r} is not known",
            where=Where(file=path, key="csv.encoding"),
            hint="for example utf-8, utf-16, cp1252, cp1251, shift_jis, gb18030",
        )
    return Encoding(name, "told by csv.encoding")


def find_encoding(path: Path) -> Encoding:
    """The encoding of a file that may be packed. Raises `InputError` when none fits, or too many do."""
    with open_bytes(path) as stream:
        start = next(unpacked_pieces(stream, path))
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, "byte-order mark")
    zeros = tuple(start[place::4].count(0) > len(start) / 8 for place in range(4))
    if len(start) >= 8 and zeros in _ZEROS:
        return Encoding(_ZEROS[zeros], "every other byte is zero", is_guess=True)
    offset = _first_undecodable(path, "utf-8")
    if offset is None:
        return Encoding("utf-8", "valid UTF-8")
    sample = b"".join(_lines_beyond_ascii(path, offset))
    if _is_damaged_utf8(sample):
        line = line_at(path, "utf-8", offset)
        raise InputError(
            f"is UTF-8 but for byte {offset + 1:,}", where=Where(file=path, line=line), hint=f"mend that line; {_HINT}"
        )
    return _likeliest_encoding(path, sample, offset)


def _first_undecodable(path: Path, encoding: str) -> int | None:
    """Offset of the first byte (of those looked at) that is not in this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read_bytes = 0
    with open_bytes(path) as stream:
        for data in unpacked_pieces(stream, path):
            read_bytes += len(data)
            try:
                decoder.decode(data, not data)
            except UnicodeDecodeError as cause:
                return read_bytes - len(cause.object) + cause.start
            if read_bytes >= SCANNED_BYTES:
                break
    return None


def _lines_beyond_ascii(path: Path, offset: int) -> Iterator[bytes]:
    """Lines with a byte beyond ASCII, from a little before `offset` on, until the sample is large enough."""
    taken = 0
    with open_bytes(path) as stream:
        stream.seek(max(0, offset - _SAMPLE_BYTES))
        looked_at = 0
        for data in unpacked_pieces(stream, path):
            looked_at += len(data)
            for line in data.replace(b"\r", b"\n").split(b"\n"):
                if not line.isascii():
                    yield line + b"\n"
                    taken += len(line)
            if taken >= _SAMPLE_BYTES or looked_at >= 64 * _SAMPLE_BYTES:
                return


def _is_damaged_utf8(sample: bytes) -> bool:
    """In another encoding hardly a sequence is valid UTF-8 by chance; in a damaged file most of them are."""
    text = sample.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(not character.isascii() for character in text) - bad
    return good >= max(2, 2 * bad)


def _likeliest_encoding(path: Path, sample: bytes, offset: int) -> Encoding:
    piece = sample[:_SAMPLE_BYTES].rpartition(b"\n")[0] or sample[:_SAMPLE_BYTES]
    names = guess_encodings(piece, fits=lambda name: _first_undecodable(path, name) is None)
    if len(names) == 1:
        return Encoding(names[0], f"not UTF-8, reads best as {names[0]}", is_guess=True)
    some = f"; it may be {' or '.join(names)}" if names else ""
    raise InputError(
        f"is not UTF-8 (byte {offset + 1:,}), and which encoding it is in cannot be told{some}",
        where=Where(file=path, line=line_at(path, "utf-8", offset)),
        hint=_HINT,
    )
