"""Kernel events about folders: watchdog's inotify, with what its observers keep to themselves.

An observer has one emitter per folder, which ends with the folder and which an overflow of the kernel's queue never
reaches. So this uses the layer below it: one descriptor and one thread for all folders, and every event as the kernel
tells it. They hint that something happened, not what: whoever listens looks at the folders itself.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

WANTED = Mask(
    InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
"""Neither reading, which our own look does, nor each block written: a growing file is looked at when it could be done,
and a writer that lets go of it tells."""

FOLDER_GONE = Mask(InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT)

STOP_SECONDS = 5.0

OnEvent = Callable[[InotifyEvent], None]
"""An event whose `wd` is what `Inotify.add_watch` gave; -1 and IN_Q_OVERFLOW where events were lost."""


class Inotify:
    """One inotify instance and the thread that reads it, which calls `on_event`, and `on_end` when it can read no more.
    All methods are for one other thread."""

    def __init__(self, on_event: OnEvent, on_end: Callable[[OSError], None]) -> None:
        """Raises `OSError`: EMFILE at the limit fs.inotify.max_user_instances."""
        self._listener = _Listener(on_event)
        self._identities = map(CallbackId, itertools.count())
        self._registered: dict[int, CallbackId] = {}
        with _name_inotify_limits():
            _spare_descriptors(3)  # the reader would lose its first where the limit is reached at its second
            self._reader = _Reader(on_end)
        self._reader.start()

    @property
    def is_alive(self) -> bool:
        """Whether events can still come."""
        return self._reader.is_alive()

    def add_watch(self, folder: Path) -> int:
        """Watch a folder; the number of its watch. The same folder again, under whatever name, gives the same number.

        Raises `OSError`: ENOSPC at the limit fs.inotify.max_user_watches, ENOENT, ENOTDIR, EACCES.
        """
        identity = next(self._identities)
        with _name_inotify_limits():
            number = self._reader.add_callback(os.fsencode(folder), WANTED, self._listener, identity)
        if number < 0:  # how this layer says EACCES
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(folder))
        before = self._registered.get(number)
        if before is not None:
            self._reader.remove_callbacks([(number, identity)])
        else:
            self._registered[number] = identity
        return number

    def remove(self, watch: int) -> None:
        """Let go of a watch. One that ended by itself is no error."""
        identity = self._registered.pop(watch, None)
        if identity is not None:
            self._reader.remove_callbacks([(WatchDescriptor(watch), identity)])

    def close(self) -> None:
        """Let go of the descriptor and of every watch."""
        self._reader.stop()
        self._reader.join(STOP_SECONDS)


_LIMITS = {
    errno.ENOSPC: "the kernel's limit fs.inotify.max_user_watches is reached",
    errno.EMFILE: "the kernel's limit fs.inotify.max_user_instances, or that of open files, is reached",
}


@contextlib.contextmanager
def _name_inotify_limits() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        if cause.errno in _LIMITS:
            raise OSError(cause.errno, _LIMITS[cause.errno]) from cause
        raise


def _spare_descriptors(count: int) -> None:
    """Raises `OSError` unless so many files could be opened now."""
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))


class _Reader(InotifyFD):
    def __init__(self, on_end: Callable[[OSError], None]) -> None:
        super().__init__()
        self._on_end = on_end

    def run(self) -> None:
        """Read until told to stop."""
        try:
            super().run()
        except OSError as cause:
            self._on_end(cause)


class _Listener:
    def __init__(self, on_event: OnEvent) -> None:
        self._tell = on_event

    def on_event(self, event: InotifyEvent) -> None:
        """Something happened in a folder, or to it."""
        self._tell(event)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The folder is gone, or we let go of it."""
        self._tell(InotifyEvent(wd, InotifyConstants.IN_DELETE_SELF, 0, b""))

    def on_queue_overflow(self) -> None:
        """The kernel dropped events."""
        self._tell(InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b""))
