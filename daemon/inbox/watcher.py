"""File-system events as hints: they wake the scan loop and decide nothing.

inotify drops events on overflow without a word and sees nothing on network folders; a handler that raises kills its
thread. So the handler sets a flag and no more, and whatever it misses the next rescan finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import structlog
from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.polling import PollingObserver

_log = structlog.get_logger(__name__)

Mode = Literal["auto", "native", "poll", "off"]

_TELLING = {EVENT_TYPE_CREATED, EVENT_TYPE_MODIFIED, EVENT_TYPE_MOVED, EVENT_TYPE_CLOSED, EVENT_TYPE_DELETED}
"""Opening and reading are left out: our own scan does both and would wake itself."""


class Watcher:
    """Watches a changing set of folders, not their subfolders."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._handler: _Flag | None = None
        self._observer: BaseObserver | None = None
        self._watches: dict[Path, ObservedWatch] = {}

    def start(self, wake: Callable[[], object]) -> None:
        """Begin. `wake` is called from a thread of the observer's. Where no observer can be had, the log says so and
        the rescans carry on alone."""
        self._handler = _Flag(wake)
        makers: dict[str, list[Callable[[], BaseObserver]]] = {
            "auto": [Observer, PollingObserver],
            "native": [Observer],
            "poll": [PollingObserver],
            "off": [],
        }
        for make in makers[self._mode]:
            try:
                observer = make()
                observer.start()
            except (OSError, RuntimeError) as cause:
                _log.warning("file events cannot be had this way", observer=make.__name__, problem=str(cause))
                continue
            self._observer = observer
            return
        if self._mode != "off":
            _log.warning("no file events: new files are found by rescans alone")

    def follow(self, folders: Iterable[Path]) -> None:
        """Watch exactly these folders from now on."""
        if self._observer is None or self._handler is None:
            return
        wanted = set(folders)
        for folder in set(self._watches) - wanted:
            self._observer.unschedule(self._watches.pop(folder))
        for folder in sorted(wanted - set(self._watches)):
            try:
                self._watches[folder] = self._observer.schedule(self._handler, str(folder), recursive=False)
            except (OSError, RuntimeError) as cause:
                # for example the limit fs.inotify.max_user_watches: tried again at the next scan
                _log.debug("a folder cannot be watched", folder=str(folder), problem=str(cause))

    def stop(self) -> None:
        """End the observer's threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5.0)
            self._observer = None
            self._watches.clear()


class _Flag(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _TELLING:
            return
        try:
            self._wake()
        except RuntimeError as cause:  # the loop has ended while events were under way
            _log.debug("an event came too late", problem=str(cause))
