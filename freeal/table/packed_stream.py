"""Files packed with gzip, with an end: a few kilobytes may hold gigabytes, and nobody means to drop those.

Text packs to a fifth, tables of numbers to a twentieth, a table of one row repeated to a thousandth.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from freeal.errors import InputError, Where

MOST_RATIO = 100
"""How many times its size a packed file may hold, once it holds more than `FREE_BYTES`."""
FREE_BYTES = 4 * 2**20
MOST_BYTES = 32 * 2**30
"""What any packed file may hold."""


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
