"""The bytes of a file, unpacked where it is packed with gzip, with an end: a few kilobytes may hold gigabytes, and
nobody means to drop those.

Text packs to a fifth, tables of numbers to a twentieth, a table of one row repeated to a thousandth.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table.not_a_table import SNIFFED_BYTES, refuse_stranger, start_of

MOST_RATIO = 100
"""How many times its size a packed file may hold, once it holds more than `FREE_BYTES`."""
FREE_BYTES = 4 * 2**20
MOST_BYTES = 32 * 2**30
"""What any packed file may hold."""
_PIECE_BYTES = 2**16
_GZIP = b"\x1f\x8b"


def most_unpacked_bytes(packed_bytes: int) -> int:
    """How much a packed file of this size may hold."""
    return min(max(FREE_BYTES, MOST_RATIO * packed_bytes), MOST_BYTES)


def refuse_swollen(unpacked_bytes: int, *, packed_bytes: int, path: Path, at_least: bool = False) -> None:
    """Raise `InputError` where a file holds more than its size lets one believe."""
    most = most_unpacked_bytes(packed_bytes)
    if unpacked_bytes > most:
        raise InputError(
            f"is packed: its {packed_bytes:,} bytes hold {'more than ' if at_least else ''}"
            f"{most if at_least else unpacked_bytes:,}",
            where=Where(file=path),
            hint=f"at most {MOST_RATIO} times its size, {FREE_BYTES:,} bytes in any case, is read of a packed file: "
            "if it is what you mean, unpack it and drop that",
        )


class GzipStream(gzip.GzipFile):
    """Reads what is packed and counts it. Raises `InputError` from `read` for too much of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        self._packed_bytes = path.stat().st_size
        self._unpacked_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        """As a file does; at most one piece more than is allowed is ever held."""
        data = super().read(size)
        self._unpacked_bytes += len(data)
        refuse_swollen(self._unpacked_bytes, packed_bytes=self._packed_bytes, path=self._path, at_least=True)
        return data


def open_bytes(path: Path) -> io.BufferedIOBase:
    """The file's bytes, unpacked where it is packed with gzip. Raises `InputError` for what is no text at all."""
    start = start_of(path)
    try:
        if not start.startswith(_GZIP):
            refuse_stranger(start, path)
            return path.open("rb")
        with gzip.GzipFile(path) as packed:
            refuse_stranger(_start_of(packed), path)
        return GzipStream(path)
    except OSError as cause:
        raise InputError(f"cannot be read: {cause.strerror or cause}", where=Where(file=path)) from cause


def _start_of(packed: gzip.GzipFile) -> bytes:
    try:
        return packed.read(SNIFFED_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""  # whoever reads the rows says so


def unpacked_pieces(stream: io.BufferedIOBase, path: Path) -> Iterator[bytes]:
    """The bytes in pieces, an empty one last. Raises `InputError` for a packed file that is damaged."""
    while True:
        try:
            data = stream.read(_PIECE_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as cause:
            raise InputError(
                f"is packed with gzip and damaged: {cause}", where=Where(file=path), hint="copy or pack it again"
            ) from cause
        except OSError as cause:
            raise InputError(f"cannot be read: {cause.strerror or cause}", where=Where(file=path)) from cause
        yield data
        if not data:
            return
