"""Moving finished things to where people look: complete or absent, and safe after a power cut.

Within a file system a rename does it; across file systems a copy beside the target, fsync, then a rename.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path

from freeal.atomic import sync, sync_tree


def make_folder(folder: Path) -> Path:
    """The folder, made with its parents where missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def move(source: Path, target: Path) -> None:
    """Move a file or a folder to a name that is free (a file replaces a file). Both folders are synced."""
    make_folder(target.parent)
    try:
        source.replace(target)
    except OSError as cause:
        if cause.errno != errno.EXDEV:
            raise
        _copy_over(source, target)
        _remove(source)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def move_folder(source: Path, target: Path) -> None:
    """Move a folder whose files may still be in the page cache: they are synced before it gets its name."""
    sync_tree(source)
    move(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file under a name that may exist already; readers see the old or the new one, whole."""
    make_folder(target.parent)
    _copy_over(source, target)
    sync(target.parent)


def point(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target` (relative to the link's folder), replacing the one before by rename.

    Raises `FileExistsError` where something that is no link stands in its place.
    """
    if os.path.lexists(link) and not link.is_symlink():
        raise FileExistsError(errno.EEXIST, "is not a link of ours", os.fspath(link))
    temporary = _beside(link)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync(link.parent)


def _copy_over(source: Path, target: Path) -> None:
    temporary = _beside(target)
    try:
        if source.is_dir():
            shutil.copytree(source, temporary, symlinks=True)
            sync_tree(temporary)
        else:
            shutil.copy2(source, temporary, follow_symlinks=False)
            sync(temporary)
        temporary.replace(target)
    except BaseException:
        _remove(temporary)
        raise


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
