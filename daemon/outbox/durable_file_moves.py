"""Moving finished things to where people look: complete or absent, and safe after a power cut.

Within a file system a rename does it; across file systems a copy beside the target, fsync, then a rename.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from pathlib import Path

import structlog

from daemon.errors import RefusedFileError
from freeal.errors import Where
from freeal.files.atomic_write import sync, sync_tree

_log = structlog.get_logger(__name__)

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.DOTALL)
"""What `_beside` and `freeal.files.atomic_write.writing` make."""


def make_folder(folder: Path) -> Path:
    """The folder, made with its parents where missing; their names are synced, so that what lies in it is found again.

    Raises `FileExistsError` where something else has the name.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
    return folder


def make_own_folder(folder: Path) -> Path:
    """`make_folder` where neither the folder nor the one it lies in may be a link: whoever may drop files may also make
    one, and followed, it would have us write wherever we may and they may not. Raises `RefusedFileError`."""
    for one in (folder.parent, folder):
        if one.is_symlink():
            hint = "remove the link; a folder of that name is made in its place"
            raise RefusedFileError("is a link, and would lead elsewhere", where=Where(file=one), hint=hint)
    return make_folder(folder)


def move(source: Path, target: Path) -> None:
    """Move a file or a folder to a name that is free (a file replaces a file). Both folders are synced."""
    if not move_by_rename(source, target):
        _move_by_copy(source, target)
        _remove(source)
        sync(target.parent)
        sync(source.parent)


def move_by_rename(source: Path, target: Path) -> bool:
    """Whether a rename could move it; False where the two lie on different mounts.

    Only trying tells: the writable folders of a systemd unit are mounts of their own on one and the same device.
    """
    make_folder(target.parent)
    try:
        source.replace(target)
    except OSError as cause:
        if cause.errno != errno.EXDEV:
            raise
        return False
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)
    return True


def move_folder(source: Path, target: Path) -> None:
    """Move a folder whose files may still be in the page cache: they are synced before it gets its name."""
    sync_tree(source)
    move(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file under a name that may exist already; readers see the old or the new one, whole."""
    make_folder(target.parent)
    _move_by_copy(source, target)
    sync(target.parent)


def replace_link_durably(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target` (relative to the link's folder), replacing the one before by a durable
    rename.

    Raises `FileExistsError` where something that is no link stands in its place.
    """
    if os.path.lexists(link) and not link.is_symlink():
        raise FileExistsError(errno.EEXIST, "is not a link of ours", os.fspath(link))
    temporary = _beside(link)
    temporary.symlink_to(target)
    try:
        temporary.replace(link)
    except OSError:
        _remove(temporary)
        raise
    sync(link.parent)


def remove_folder(folder: Path) -> None:
    """Delete a folder. Cut off, it leaves nothing under the folder's name, only what `sweep_cut_off_moves` removes."""
    doomed = _beside(folder)
    folder.rename(doomed)
    sync(folder.parent)
    shutil.rmtree(doomed)


def sweep_cut_off_moves(folder: Path) -> None:
    """Delete what a cut-off move, copy, link or removal left directly in a folder that may be missing.

    Only names that we alone give are touched: `.<name>.<8 hexadecimal digits>.tmp`.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if _TEMPORARY.fullmatch(entry.name):
            _remove(entry)
            _log.info("what a cut-off write left was deleted", file=str(entry))


def _move_by_copy(source: Path, target: Path) -> None:
    temporary = _beside(target)
    try:
        if source.is_dir():
            _copy_tree(source, temporary)
            sync_tree(temporary)
        else:
            shutil.copy2(source, temporary, follow_symlinks=False)
            sync(temporary)
        temporary.replace(target)
    except BaseException:
        _remove(temporary)
        raise


def _copy_tree(source: Path, target: Path) -> None:
    """Stops at the first error and raises it; `shutil.copytree` goes on and then tells strings of all of them."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            _copy_tree(entry, target / entry.name)
        else:
            shutil.copy2(entry, target / entry.name, follow_symlinks=False)
    shutil.copystat(source, target)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
