"""Trouble with a disk that passes once somebody makes room or mends it: no reason to give a job up."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from daemon.errors import DiskError, RefusedFileError, ResourceError
from freeal.errors import Where

RETRY_SECONDS = 60.0
"""How long a job or a file waits before the disk is tried again."""

_PROBLEMS = {
    errno.ENOSPC: "no room is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk failed to read or write",
    errno.EROFS: "the disk is read-only",
}
_SQLITE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
_IN_WORDS = re.compile(r"os error (\d+)|code: (\d+)|\[Errno (\d+)\]")
"""How an errno is spelled by safetensors and tokenizers, which are written in Rust, and by `shutil.copytree`."""


def disk_error_in(error: BaseException) -> DiskError | None:
    """The disk's part in an error, in what caused it or in its group; None where it has none."""
    for one in error_family(error):
        if isinstance(one, DiskError):
            return one
        number = _errno_of(one)
        if number in _PROBLEMS:
            file = one.filename if isinstance(one, OSError) and isinstance(one.filename, str | Path) else None
            return of_errno(number, file)
    return None


def of_errno(number: int, file: str | Path | None) -> DiskError:
    """The error for an errno that is the disk's. `file` is what was being written, where that is known."""
    where = Where(file=_folder(file)) if file is not None else None
    hint = "make room or mend the disk; it goes on by itself"
    return DiskError(f"{_PROBLEMS[number]} ({os.strerror(number)})", where=where, hint=hint)


def of_sqlite(error: sqlite3.Error, file: Path) -> DiskError | None:
    """What of a database's error is the disk's."""
    number = _errno_of(error)
    return of_errno(number, file) if number in _PROBLEMS else None


@contextlib.contextmanager
def waiting_for_folder(problem: str) -> Iterator[None]:
    """Where a folder that results or inputs go to is in the way, that is for people to mend and no fault of the work:
    `ResourceError` in place of what the block raises."""
    try:
        yield
    except (OSError, RefusedFileError) as cause:
        raise ResourceError(f"{problem}: {cause}", hint="mend that folder; it goes on by itself") from cause


def error_family(error: BaseException | None) -> Iterator[BaseException]:
    """An error, those of its group, and all that led to them."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.exceptions] if isinstance(one, BaseExceptionGroup) else []
        waiting += [one.__cause__, one.__context__]


def _errno_of(error: BaseException) -> int:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, sqlite3.Error):
        code: int = getattr(error, "sqlite_errorcode", 0)
        return _SQLITE.get(code & 0xFF, 0)
    found = _IN_WORDS.search(str(error))
    return int(found[found.lastindex or 0]) if found else 0


def _folder(file: str | Path) -> Path:
    """What a person knows: not the name of a temporary file."""
    path = Path(file)
    return path if path.is_dir() else path.parent
