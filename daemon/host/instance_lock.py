"""One daemon per state folder. The kernel lets go of the lock when the process dies, however it dies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from daemon.errors import AlreadyRunningError, StateLostError
from daemon.host import fault_guard
from freeal.errors import ConfigError, Where

LOCK_NAME = "lock"


class InstanceLock:
    """The lock while it is held."""

    def __init__(self, path: Path) -> None:
        """`path` is the file that is locked now."""
        self._path = path
        self._identity = _lock_file_identity(path)

    def check_lock(self) -> None:
        """Raise `StateLostError` where the name now leads to another file, or to none: somebody removed or replaced the
        state folder, and a second daemon would find its lock free."""
        if self._identity is None or _lock_file_identity(self._path) != self._identity:
            hint = "it is made anew; what was in it and is not in the other folders is gone"
            raise StateLostError("was removed or replaced", where=Where(file=self._path.parent), hint=hint)


@contextlib.contextmanager
def hold_instance_lock(state: Path, *, patience_seconds: float = 0.5) -> Iterator[InstanceLock]:
    """Hold the state folder for the length of the block. Raises `AlreadyRunningError` when it is taken, `ConfigError`
    where it cannot be had at all: it is another user's, say.

    The little patience is for `status`, which holds the lock for an instant to see whether it can.
    """
    path = state / LOCK_NAME
    lock = filelock.FileLock(path, timeout=patience_seconds)
    try:
        lock.acquire()
    except filelock.Timeout as cause:
        raise AlreadyRunningError(
            "another instance is running", where=Where(file=path), hint="see `python -m daemon status`"
        ) from cause
    except OSError as cause:
        if fault_guard.passing_trouble_in(cause):
            raise
        hint = "it must be a file of the user that the service runs as: mend that, or remove it while no service runs"
        raise ConfigError(f"cannot be locked: {cause.strerror}", where=Where(file=path), hint=hint) from cause
    try:
        yield InstanceLock(path)
    finally:
        lock.release()


def is_instance_running(state: Path) -> bool:
    """Whether a daemon runs on this state folder now."""
    if not (state / LOCK_NAME).exists():
        return False
    try:
        with hold_instance_lock(state, patience_seconds=0):
            return False
    except AlreadyRunningError:
        return True


def _lock_file_identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
