"""One file out of the folder it was dropped in, and back: what arrives is what was seen, and nothing is overwritten."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path

import structlog

from daemon.errors import ChangedFileError
from daemon.inbox import file_sightings
from daemon.inbox.file_sightings import Sighting
from daemon.outbox import durable_file_moves
from freeal.errors import Where
from freeal.files import atomic_write

_log = structlog.get_logger(__name__)


def take_file(source: Path, target: Path, sighting: Sighting) -> None:
    """Move a file that was seen as `sighting`.

    Raises `ChangedFileError` when it was written to or replaced since: it then lies where it lay. Raises `OSError` when
    it cannot be moved.
    """
    if durable_file_moves.move_by_rename(source, target):
        if file_sightings.look(target) != sighting:
            put_file_back(target, source)
            raise _changed(source)
        return
    try:
        durable_file_moves.copy(source, target)
        # a rename takes a writer's further writing along, a copy would lose it: looked at before the original goes
        if is_whole := file_sightings.look(source) == sighting:
            source.unlink(
                missing_ok=True
            )  # a share whose answer was lost says that it is gone: the copy is all there is
    except BaseException:
        target.unlink(missing_ok=True)  # the original lies where it lay, or will again when its share is back
        raise
    if not is_whole:
        target.unlink()
        raise _changed(source)
    atomic_write.sync(source.parent)


def is_copy_of_taken(taken: Path, *, of: Path) -> bool:
    """Whether a taken file still lies where it was taken from, because a kill came between the two steps of a move
    across file systems: size, time and content are the same."""
    try:
        here, there = file_sightings.look(taken), file_sightings.look(of)
    except FileNotFoundError:
        return False
    if here.inode == there.inode or (here.kind, here.size, here.mtime_ns) != (there.kind, there.size, there.mtime_ns):
        return False
    return here.kind == "file" and filecmp.cmp(taken, of, shallow=False)


def put_file_back(taken: Path, origin: Path) -> None:
    """Return a file to the folder it was taken from, unless a newer one has its name: that would have replaced it."""
    try:
        os.link(taken, origin, follow_symlinks=False)
    except FileExistsError:
        _log.warning("a file was replaced while it was being taken; the newer one stays", file=str(origin))
    except OSError:  # another file system, or one without hard links
        if os.path.lexists(origin):
            _log.warning("a file was replaced while it was being taken; the newer one stays", file=str(origin))
        else:
            durable_file_moves.move(taken, origin)
            return
    taken.unlink()
    atomic_write.sync(origin.parent)


def _changed(source: Path) -> ChangedFileError:
    return ChangedFileError("changed while it was being taken", where=Where(file=source))
