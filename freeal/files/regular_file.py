"""Opening files that somebody else put there: plain files only, never waiting for a pipe, links only where wanted."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import Literal

Links = Literal["follow", "refuse"]
"""Whether the last part of a path may be a symbolic link."""


def open_regular_file(path: Path, *, links: Links = "follow") -> io.BufferedReader:
    """A plain file, open for reading; the caller closes it.

    What is looked at is what is read: somebody may put a link or a pipe in a file's place between our looking and our
    opening. Raises `OSError` where it is something else, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if links == "refuse" else 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as cause:
        if cause.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a symbolic link, not a file", os.fspath(path)) from cause
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a plain file", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def read(path: Path, *, most_bytes: int, links: Links = "follow") -> bytes:
    """A plain file's content, or its first `most_bytes` + 1 bytes where it is longer. Raises `OSError`."""
    with open_regular_file(path, links=links) as stream:
        return stream.read(most_bytes + 1)
