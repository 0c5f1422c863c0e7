"""A folder as a zip, made piece by piece while it is sent: nothing is written to the disk or held in memory."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 256 * 1024


class _Sink:
    """What the archive is written to: keeps the bytes until they are taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def zipped_folder(folder: Path, *, within: str) -> Iterator[bytes]:
    """The plain files below `folder`, stored (weights do not shrink) under the folder name `within`. Links are left
    out: they would lead elsewhere."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path in _plain_files(folder):
            entry = zipfile.ZipInfo.from_file(path, f"{within}/{path.relative_to(folder)}")
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield sink.take()
    yield sink.take()


def _plain_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        paths = [Path(parent, name) for name in sorted(names)]
        yield from (path for path in paths if stat.S_ISREG(path.lstat().st_mode))
