"""A folder to be filled must be empty, or hold what we wrote before: nobody's work is written over."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.errors import ConfigError, Where


def free_folder(said: Path, *, key: str, ours: Sequence[str]) -> Path:
    """The folder behind `said`, for files of ours. `key` is the option that names it; a folder that is not empty must
    hold one of `ours`.

    Raises `ConfigError` for a folder in use, a link in it, a version that the service published, and what is no folder.
    """
    folder, where = Path(os.path.realpath(said)), Where(file=said, key=key)
    another = "name a folder that is empty or not there yet"
    if not folder.name:
        raise ConfigError("is the root of the file system", where=where, hint=another)
    if folder.parent.parent.name == "versions":
        raise ConfigError("is a version that the service published", where=where, hint=another)
    if not folder.exists():
        _check_parent(folder, where)
        return folder
    if not folder.is_dir():
        raise ConfigError("is no folder", where=where, hint=another)
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as cause:
        raise ConfigError(f"cannot be read: {cause.strerror}", where=where, hint=another) from cause
    if names and not set(names) & set(ours):
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise ConfigError(f"is in use: it holds {shown}, and nothing of ours", where=where, hint=another)
    links = [name for name in names if (folder / name).is_symlink()]
    if links:
        raise ConfigError(
            f"holds a link, {links[0]}: what it leads to would be written over", where=where, hint=another
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("may not be written to", where=where, hint="see to its permissions, or name another")
    return folder


def _check_parent(folder: Path, where: Where) -> None:
    above = next(parent for parent in folder.parents if os.path.lexists(parent))
    if not above.is_dir():
        raise ConfigError(f"cannot be made: {above} is no folder", where=where, hint="name another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot be made: {above} may not be written to", where=where, hint="name another place")


@contextlib.contextmanager
def held_output_folder(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this process alone. Raises `ConfigError` where another fills it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as cause:
        raise ConfigError(f"cannot be made: {cause.strerror}", where=Where(file=folder)) from cause
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            hint = "wait for it, or name another folder"
            raise ConfigError("is being filled by another run", where=Where(file=folder), hint=hint) from cause
        yield
    finally:
        os.close(descriptor)
