"""Kernel events about folders: that they wake, that their loss is noticed, and that every loss heals."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent

from daemon.config import WatchSettings
from daemon.host.clock import Clock
from daemon.inbox import inotify
from daemon.inbox.file_events import Watcher, WatchState
from daemon.inbox.inotify import Inotify

PATIENCE_SECONDS = 30.0


class Bell:
    """What the watcher wakes."""

    def __init__(self):
        self.rings = 0

    def ring(self):
        self.rings += 1

    async def heard(self):
        with anyio.fail_after(PATIENCE_SECONDS):
            while not self.rings:  # noqa: ASYNC110 - the kernel rings it
                await anyio.sleep(0.01)
        self.rings = 0


def _watching(story, *, mode="native", **settings):
    """Run an async story with a started watcher and the bell it rings."""

    async def run():
        bell = Bell()
        watcher = Watcher(WatchSettings(mode=mode, **settings), Clock())
        watcher.start(bell.ring)
        try:
            await story(watcher, bell)
        finally:
            watcher.stop()

    anyio.run(run)


async def _quiet(bell):
    """Let go of what is still under way."""
    await anyio.sleep(0.05)
    bell.rings = 0


@pytest.mark.parametrize("mode", ["native", "auto"])
def test_a_file_renamed_in_rings_at_once(tmp_path, mode):
    """So does one that is created and let go of, and one that is taken away."""

    async def story(watcher, bell):
        inbox = tmp_path / "inbox"
        inbox.mkdir()
        watcher.follow_folders([inbox])
        await _quiet(bell)
        (tmp_path / "a.csv").write_text("x")
        (tmp_path / "a.csv").rename(inbox / "a.csv")
        await bell.heard()
        (inbox / "b.csv").write_text("x")
        await bell.heard()
        (inbox / "b.csv").unlink()
        await bell.heard()
        state = watcher.snapshot()
        assert ("native", 1, 0, None) == (state.in_use, state.watched, state.polled, state.problem)
        assert 0 <= state.seconds_since_event < PATIENCE_SECONDS

    _watching(story, mode=mode)


def test_reading_looking_and_half_written_files_ring_nothing(tmp_path):
    """Our own look must not cause the next one, nor does a download under way or each block of a copy."""

    async def story(watcher, bell):
        (tmp_path / "a.csv").write_text("x")
        watcher.follow_folders([tmp_path])
        await _quiet(bell)
        list(tmp_path.iterdir())
        (tmp_path / "a.csv").read_text()
        (tmp_path / ".hidden.tmp").write_text("x")
        with (tmp_path / "a.csv").open("a") as stream:
            stream.write("more")
            stream.flush()
            await anyio.sleep(0.1)
            assert 0 == bell.rings
        await bell.heard()  # it was let go of

    _watching(story)


def test_a_folder_that_comes_to_be_watched_is_looked_at_once_more(tmp_path):
    """What fell into it between the look before and the watch told nobody; following it again rings nothing."""

    async def story(watcher, bell):
        watcher.follow_folders([tmp_path])
        assert 1 == bell.rings
        watcher.follow_folders([tmp_path])
        assert 1 == bell.rings

    _watching(story)


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced by a link"])
def test_a_folder_made_again_under_its_name_is_watched_again(tmp_path, how):
    """Its going rings; the next look watches what stands there now."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def story(watcher, bell):
        watcher.follow_folders([inbox])
        await _quiet(bell)
        if how == "removed":
            shutil.rmtree(inbox)
        else:
            inbox.rename(tmp_path / "old")
        await bell.heard()
        watcher.follow_folders([inbox])
        assert (0, 1) == (watcher.state.watched, watcher.state.polled)
        if how == "replaced by a link":
            (tmp_path / "elsewhere").mkdir()
            inbox.symlink_to(tmp_path / "elsewhere")
        else:
            inbox.mkdir()
        watcher.follow_folders([inbox])
        await _quiet(bell)
        assert (1, 0, None) == (watcher.state.watched, watcher.state.polled, watcher.state.problem)
        (inbox / "a.csv").write_text("x")
        await bell.heard()

    _watching(story)


def test_a_swap_between_two_looks_is_noticed_without_its_events(tmp_path):
    """The name stands for another folder: the number of its watch tells, whatever the kernel did not."""
    inbox, old = tmp_path / "inbox", tmp_path / "old"
    inbox.mkdir()

    async def story(watcher, bell):
        watcher.follow_folders([inbox])
        inbox.rename(old)
        inbox.mkdir()
        watcher.follow_folders([inbox])  # no turn of the event loop in between
        await _quiet(bell)
        (old / "a.csv").write_text("x")
        await anyio.sleep(0.1)
        assert 0 == bell.rings
        (inbox / "a.csv").write_text("x")
        await bell.heard()

    _watching(story)


def test_an_overflow_rings_and_is_counted():
    """Lost events are never lost files: everything is looked at."""

    async def story(watcher, bell):
        watcher._on_file_event(watcher._opens, InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))
        assert (1, 1) == (bell.rings, watcher.snapshot().overflows)

    _watching(story)


@pytest.mark.slow
def test_more_events_than_the_kernel_keeps_overflow_for_real(tmp_path):
    """Nobody reads meanwhile: the kernel says so in the end, and the watch goes on."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())

    async def story(watcher, bell):
        watcher.follow_folders([tmp_path])
        with watcher._inotify._reader._lock:
            for number in range(limit // 2 + 100):
                path = tmp_path / f"{number % 2}.csv"
                path.touch()
                path.unlink()
        with anyio.fail_after(PATIENCE_SECONDS):
            while not watcher.state.overflows:  # noqa: ASYNC110 - the kernel counts it up
                await anyio.sleep(0.01)
        await _quiet(bell)
        (tmp_path / "a.csv").write_text("x")
        await bell.heard()

    _watching(story)


@contextmanager
def _no_more_descriptors(*, but=0):
    """As if the limit of open files were reached, all `but` so many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    fillers = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + but, before[1]))
    try:
        while True:
            try:
                fillers.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        for _ in range(but):
            os.close(fillers.pop())
        yield
    finally:
        for descriptor in fillers:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_an_inotify_instance_everything_is_polled_until_there_is_one(tmp_path):
    """The kernel's limit, EMFILE: told as a problem, looked at often, healed by the next look."""

    async def story(watcher, bell):
        with _no_more_descriptors():
            watcher.follow_folders([tmp_path])
        state = watcher.state
        assert ("poll", 0, 1, 3.0) == (state.in_use, state.watched, state.polled, state.rescan_seconds)
        assert "max_user_instances" in state.problem
        watcher.follow_folders([tmp_path])
        state = watcher.state
        assert ("native", 1, 0, 30.0, None) == (
            state.in_use,
            state.watched,
            state.polled,
            state.rescan_seconds,
            state.problem,
        )

    _watching(story, mode="auto", poll_seconds=3.0)


@pytest.mark.parametrize("left", [1, 2])
def test_a_try_that_runs_out_of_descriptors_halfway_keeps_none(left):
    """Else every look would make the want worse."""
    with _no_more_descriptors(but=left), pytest.raises(OSError, match="max_user_instances"):
        Inotify(lambda event: None, lambda cause: None)
    assert [] == _descriptors_of("anon_inode:inotify")


@contextmanager
def _as_nobody():
    """Without root's right to read everything."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_a_folder_that_may_not_be_read_is_polled_and_named(tmp_path):
    """The layer below us says nothing of EACCES and gives no watch."""

    async def story(watcher, bell):
        (tmp_path / "closed").mkdir(mode=0)
        with _as_nobody():
            watcher.follow_folders([tmp_path / "closed"])
        assert (0, 1) == (watcher.state.watched, watcher.state.polled)
        assert "cannot be watched: Permission denied" in watcher.state.problem

    _watching(story)


class Full(Inotify):
    """An instance at the limit of watches."""

    def add_watch(self, folder):  # noqa: ARG002 - as the kernel at its limit
        raise OSError(errno.ENOSPC, inotify._LIMITS[errno.ENOSPC])


def test_at_the_limit_of_watches_the_rest_is_polled(tmp_path):
    """ENOSPC from inotify_add_watch: named, with how many, and healed when there is room again."""

    async def story(watcher, bell):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        folders = [tmp_path / "a", tmp_path / "b"]
        watcher.follow_folders(folders[:1])
        watcher._inotify.__class__ = Full
        watcher.follow_folders(folders)
        assert "max_user_watches is reached (and 1 more)" in watcher.state.problem
        assert (0, 2, 5.0) == (watcher.state.watched, watcher.state.polled, watcher.state.rescan_seconds)
        watcher._inotify.__class__ = Inotify
        watcher.follow_folders(folders)
        assert (2, 0, None) == (watcher.state.watched, watcher.state.polled, watcher.state.problem)

    _watching(story)


def _descriptors_of(target):
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one this listing was read from
            found += [int(link.name)] if str(link.readlink()) == target else []
    return found


def test_a_descriptor_gone_bad_is_replaced(tmp_path):
    """Whatever closed it: the loop is woken, and the next look asks for another."""

    async def story(watcher, bell):
        watcher.follow_folders([tmp_path])
        await _quiet(bell)
        [descriptor] = _descriptors_of("anon_inode:inotify")
        stranger = os.open(tmp_path, os.O_RDONLY)  # a folder cannot be read
        os.dup2(stranger, descriptor)
        os.close(stranger)
        (tmp_path / "unseen.csv").write_text("x")
        await bell.heard()
        watcher.follow_folders([tmp_path])
        await _quiet(bell)
        (tmp_path / "a.csv").write_text("x")
        await bell.heard()

    _watching(story)


@pytest.mark.parametrize(("mode", "in_use", "seconds"), [("poll", "poll", 5.0), ("off", "off", 30.0)])
def test_without_events_looks_are_all_there_is(tmp_path, mode, in_use, seconds):
    """`poll` looks more often, `off` every rescan_seconds; no descriptor is opened."""

    async def story(watcher, bell):
        watcher.follow_folders([tmp_path])
        (tmp_path / "a.csv").write_text("x")
        await anyio.sleep(0.05)
        state = watcher.snapshot()
        assert (in_use, 0, seconds, None) == (state.in_use, state.watched, state.rescan_seconds, state.problem)
        assert (0, None, None) == (bell.rings, state.seconds_since_event, watcher._inotify)

    _watching(story, mode=mode)


def test_polling_is_never_slower_than_the_rescans(tmp_path):
    """Whoever sets rescan_seconds to one second means it."""

    async def story(watcher, bell):
        watcher.follow_folders([tmp_path])
        assert 1.0 == watcher.state.rescan_seconds

    _watching(story, mode="poll", rescan_seconds=1.0)


def test_a_watcher_not_yet_started_has_a_state():
    """`status` may ask at any time."""
    watcher = Watcher(WatchSettings(mode="auto"), Clock())
    assert WatchState("auto", watched=0, polled=0, rescan_seconds=30.0) == watcher.snapshot()


def test_another_mode_is_taken_up_at_the_next_look(tmp_path, settings):
    """From events to none and back, as `SIGHUP` may bring."""

    async def story(watcher, bell):
        watcher.follow_folders([tmp_path])
        for mode, watched in (("off", 0), ("native", 1)):
            watcher.adopt(settings.model_copy(update={"watch": WatchSettings(mode=mode)}))
            watcher.follow_folders([tmp_path])
            assert (mode, mode, watched) == (watcher.state.mode, watcher.state.in_use, watcher.state.watched)
        await _quiet(bell)
        (tmp_path / "a.csv").write_text("x")
        await bell.heard()

    _watching(story)
