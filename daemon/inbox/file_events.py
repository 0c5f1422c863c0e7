"""File-system events as hints: they wake the scan loop and decide nothing.

Events get lost: the kernel's queue overflows, its limits are reached, a network share tells nothing of what others
write, a folder is removed and another made under its name. So every look at the folders watches all of them anew, which
costs one call each and heals whatever ended a watch, and what no event can be had for is looked at more often instead.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import structlog
from watchdog.observers.inotify_c import InotifyEvent

from daemon.config import Settings, WatchSettings
from daemon.host.clock import Clock
from daemon.inbox.inotify import FOLDER_GONE, Inotify
from daemon.inbox.mount_table import Mounts
from daemon.inbox.pairing import is_ignored

_log = structlog.get_logger(__name__)

Mode = Literal["auto", "native", "poll", "off"]


@dataclasses.dataclass(frozen=True, slots=True)
class WatchState:
    """How new files are noticed just now."""

    mode: Mode
    """As set."""
    watched: int
    """Folders with kernel events."""
    polled: int
    """Folders looked at every `rescan_seconds` alone."""
    rescan_seconds: float
    """Everything is looked at anew this often."""
    problem: str | None = None
    """Why events that should be there are not; None while all is well."""
    remark: str | None = None
    """Why a folder is polled although nothing is wrong: the file system it lies on."""
    seconds_since_event: float | None = None
    overflows: int = 0
    """How often the kernel dropped events because too many came at once."""

    @property
    def in_use(self) -> str:
        """`native`, `poll`, `native and poll`, or `off`."""
        if self.mode == "off":
            return "off"
        return " and ".join(["native"] * bool(self.watched) + ["poll"] * bool(self.polled)) or self.mode


class Watcher:
    """Watches a changing set of folders, not their subfolders. Lives on the event loop."""

    def __init__(self, settings: WatchSettings, clock: Clock, *, mounts: Mounts | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._mounts = mounts or Mounts()
        self._wake: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inotify: Inotify | None = None
        self._opens = 0
        self._watches: dict[Path, int] = {}
        self._last_event: float | None = None
        self.state = WatchState(settings.mode, watched=0, polled=0, rescan_seconds=settings.rescan_seconds)

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings, the mode among them, from the next `follow_folders`."""
        self._settings = settings.watch

    def start(self, wake: Callable[[], object]) -> None:
        """Begin, on the running event loop: `wake` is called there for events in the folders that are followed."""
        self._loop = asyncio.get_running_loop()
        self._wake = wake

    def follow_folders(self, folders: Iterable[Path]) -> None:
        """Watch exactly these folders from now on. To be called at every look: each call mends what ended since."""
        wanted = sorted(set(folders))
        if self._loop is None:
            return
        if self._settings.mode == "off":
            self._close()
            seconds = self._settings.rescan_seconds
            self.state = WatchState("off", watched=0, polled=0, rescan_seconds=seconds, overflows=self.state.overflows)
            return
        polled, remark = self._split_polled(wanted)
        problem = self._watch_folders([folder for folder in wanted if folder not in polled])
        unwatched = sum(folder not in self._watches for folder in wanted)
        often = min(self._settings.poll_seconds, self._settings.rescan_seconds)
        before = self.state
        self.state = dataclasses.replace(
            before,
            mode=self._settings.mode,
            watched=len(self._watches),
            polled=unwatched,
            rescan_seconds=often if unwatched else self._settings.rescan_seconds,
            problem=problem,
            remark=remark,
        )
        self._log_watch_change(before)

    def snapshot(self) -> WatchState:
        """The state with the age of the last event as of now."""
        age = None if self._last_event is None else max(0.0, self._clock.steady() - self._last_event)
        return dataclasses.replace(self.state, seconds_since_event=age)

    def stop(self) -> None:
        """Let go of everything."""
        self._close()
        self._loop = self._wake = None

    def _split_polled(self, folders: list[Path]) -> tuple[frozenset[Path], str | None]:
        """The folders to be polled, and why."""
        if self._settings.mode == "poll":
            return frozenset(folders), None
        self._mounts.refresh_mounts()
        deaf = {folder: mount for folder in folders if (mount := self._mounts.mount_of(folder)) and mount.is_deaf}
        if not deaf:
            return frozenset(), None
        folder, mount = next(iter(deaf.items()))
        more = f" (and {len(deaf) - 1} more)" if len(deaf) > 1 else ""
        if self._settings.mode == "native":
            return frozenset(), f"{folder}{more} lies on {mount.kind}, which may tell nothing of what others write"
        return frozenset(deaf), f"{folder}{more} lies on {mount.kind}, where events cannot be relied on: polled"

    def _watch_folders(self, wanted: list[Path]) -> str | None:
        """Watch these and no others; the first problem. A folder that is not there yet is none: the scan speaks of it.

        Asking again for a folder that is watched gives its number again; another number means that the name now stands
        for another folder, and that the watch before was deaf.
        """
        for folder in set(self._watches) - set(wanted):
            self._forget(folder)
        if not wanted:
            self._close()
            return None
        problems, is_news = [], False
        try:
            inotify = self._open_inotify()
        except OSError as cause:
            return cause.strerror or str(cause)
        for folder in wanted:
            try:
                number = inotify.add_watch(folder)
            except OSError as cause:
                self._forget(folder)
                if cause.errno not in {errno.ENOENT, errno.ENOTDIR}:
                    problems.append(f"{folder} cannot be watched: {cause.strerror}")
                continue
            before = self._watches.get(folder)
            if before == number:
                continue
            if before is not None:
                _log.warning("a folder was replaced by another of its name: watched anew", folder=str(folder))
                self._forget(folder)
            self._watches[folder] = number
            is_news = True
        if is_news and self._wake is not None:
            self._wake()  # what came between the look before this and the watch told nobody
        return problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "") if problems else None

    def _open_inotify(self) -> Inotify:
        if self._inotify is not None and not self._inotify.is_alive:
            self._close()
        if self._inotify is None:
            self._opens += 1  # numbers of watches begin anew: what the instance before still says means other folders
            own, loop = self._opens, self._running_loop()
            self._inotify = Inotify(
                lambda event: _pass_event_on(loop, self._on_file_event, own, event),
                lambda cause: _pass_event_on(loop, self._on_events_ended, own, cause),
            )
        return self._inotify

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("start the watcher first")
        return self._loop

    def _forget(self, folder: Path) -> None:
        number = self._watches.pop(folder, None)
        if number is not None and self._inotify is not None and number not in self._watches.values():
            self._inotify.remove(number)

    def _close(self) -> None:
        self._watches.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _on_file_event(self, instance: int, event: InotifyEvent) -> None:
        """Called on the loop for each event: most are worth a look."""
        if instance != self._opens:
            return
        if event.is_queue_overflow:
            _log.warning("too many file events at once: some were lost, so everything is looked at")
            self.state = dataclasses.replace(self.state, overflows=self.state.overflows + 1)
        elif event.wd not in self._watches.values():
            return
        elif event.mask & FOLDER_GONE:
            if self._inotify is not None:
                self._inotify.remove(event.wd)  # one that was moved away would be watched on
            self._watches = {folder: number for folder, number in self._watches.items() if number != event.wd}
        elif is_ignored(os.fsdecode(event.name)):
            return
        self._notice()

    def _on_events_ended(self, instance: int, cause: OSError) -> None:
        """Called on the loop when no more events can be read."""
        if instance != self._opens:
            return
        _log.error("file events have ended; they are asked for anew", problem=str(cause))
        self._notice()

    def _notice(self) -> None:
        self._last_event = self._clock.steady()
        if self._wake is not None:
            self._wake()

    def _log_watch_change(self, before: WatchState) -> None:
        """One line when something changes, not one per look."""
        state = self.state
        if state.problem and state.problem != before.problem:
            _log.warning("new files are found by looking often", problem=state.problem, seconds=state.rescan_seconds)
        if before.problem and not state.problem:
            _log.info("file events are back", folders=state.watched)
        if state.remark and state.remark != before.remark:
            _log.info("how new files are noticed", remark=state.remark, seconds=state.rescan_seconds)


def _pass_event_on(
    loop: asyncio.AbstractEventLoop, take: Callable[[int, Any], None], instance: int, told: object
) -> None:
    """From the thread that reads events to the loop."""
    try:
        loop.call_soon_threadsafe(take, instance, told)
    except RuntimeError as cause:  # the loop has ended while events were under way
        _log.debug("an event came too late", problem=str(cause))
