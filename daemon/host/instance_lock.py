"""One daemon per state folder. The kernel lets go of the lock when the process dies, however it dies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from daemon.errors import AlreadyRunningError
from freeal.errors import Where

LOCK_NAME = "lock"


@contextlib.contextmanager
def held(state: Path, *, patience_seconds: float = 0.5) -> Iterator[None]:
    """Hold the state folder for the length of the block. Raises `AlreadyRunningError` when it is taken.

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
    try:
        yield
    finally:
        lock.release()


def is_held(state: Path) -> bool:
    """Whether a daemon runs on this state folder now."""
    if not (state / LOCK_NAME).exists():
        return False
    try:
        with held(state, patience_seconds=0):
            return False
    except AlreadyRunningError:
        return True
