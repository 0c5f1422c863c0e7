"""Putting files where the daemon looks for them: complete or absent, and never over one that is there."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path

from daemon.errors import RefusedFileError
from daemon.inbox.file_name_advice import SPEC_SUFFIXES
from freeal.errors import Where
from freeal.files.atomic_write import sync
from freeal.table.file_formats import DATA_SUFFIXES

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}


def place_files(files: dict[str, Path], folder: Path) -> None:
    """Give each file (its new name -> where it is) a name in `folder`, in this order; all of them or none.

    Raises `RefusedFileError` when a name is taken. The files stay where they are as well.
    """
    placed: list[Path] = []
    try:
        for name, source in files.items():
            _place_file(source, folder / name)
            placed.append(folder / name)
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        raise
    sync(folder)


def place_job(files: dict[str, Path], inbox: Path, stem: str) -> None:
    """A job's table and spec, with what lies beside them; nothing where a table or spec called `stem` waits already,
    whatever its ending. Raises `RefusedFileError`."""
    taken = [
        name for suffix in (*DATA_SUFFIXES, *SPEC_SUFFIXES) if os.path.lexists(inbox / (name := f"{stem}{suffix}"))
    ]
    if taken:
        raise RefusedFileError(f"{taken[0]} waits in the inbox already", hint="choose another name, or wait")
    place_files(files, inbox)


def _place_file(source: Path, target: Path) -> None:
    """A hard link is a rename that refuses to replace; what is linked is a copy under a hidden name beside it, so that
    the inbox's file is its own."""
    hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        shutil.copyfile(source, hidden, follow_symlinks=False)
        sync(hidden)
        try:
            os.link(hidden, target)
        except OSError as cause:
            if cause.errno not in _NO_LINKS:
                raise
            _rename(hidden, target)
    except FileExistsError as cause:
        raise RefusedFileError(
            "waits there already", where=Where(file=target), hint="choose another name, or take that one away first"
        ) from cause
    finally:
        hidden.unlink(missing_ok=True)


def _rename(source: Path, target: Path) -> None:
    """For file systems without hard links: a rename replaces, so the name is looked at just before."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "is there", os.fspath(target))
    source.rename(target)
