"""How much there is to do, known before it is done: the lines of a file, counted while its digest is taken."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table.file_formats import form_of
from freeal.table.packed_stream import GzipStream
from freeal.table.workbook_reader import row_count

BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Extent:
    """`sha256` of the file as it lies there; `lines` of its text (rows, for Parquet)."""

    sha256: str
    lines: int

    def rows_expected(self, *, rows_read: int, line: int) -> int:
        """Rows there will be in all, judged from how many began up to `line` (the last one's first line).

        Exact where no row has a line break within it, an estimate elsewhere; never less than `rows_read`.
        """
        if line <= 1:
            return max(rows_read, self.lines - 1)
        return max(rows_read, round(rows_read * (self.lines - 1) / (line - 1)))


def measure_input(path: Path) -> Extent:
    """Read the file once. Raises `InputError` when that cannot be done."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Extent(digest, _count_lines(path))
    except OSError as cause:
        raise InputError(f"cannot be read: {cause.strerror or cause}", where=Where(file=path)) from cause


def _count_lines(path: Path) -> int:
    if path.name.lower().endswith(".parquet"):
        return _parquet_rows(path) + 1
    if form_of(path.name) == "xlsx":
        return row_count(path)
    feeds = returns = 0
    last = b""
    for block in _unpacked_blocks(path):
        feeds += block.count(b"\n")
        returns += block.count(b"\r")
        last = block[-2:]
    breaks = max(feeds, returns)  # a Macintosh of old ended lines with \r alone
    return breaks + int(bool(last) and not last.strip(b"\0").endswith((b"\n", b"\r")))


def _unpacked_blocks(path: Path) -> Iterator[bytes]:
    """What the file holds, unpacked; the end of a damaged archive is where it can no longer be read, for the reader of
    its rows will say so, with the line."""
    packed = path.name.lower().endswith(".gz")
    with GzipStream(path) if packed else path.open("rb") as stream:
        while True:
            try:
                block = stream.read(BLOCK_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return
            if not block:
                return
            yield block


def _parquet_rows(path: Path) -> int:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]

        return int(parquet.read_metadata(path).num_rows)
    except (ImportError, ValueError):  # pyarrow's own error for a damaged file is a ValueError
        return 0  # unknown: the reader of its rows will say what is wrong
