"""Which file systems tell of what happens on them, and what the watcher makes of it."""

from __future__ import annotations

import anyio
import pytest

from daemon.config import WatchSettings
from daemon.host.clock import Clock
from daemon.inbox.file_events import Watcher
from daemon.inbox.mount_table import Mounts


def _following(mode, mounts, *looks):
    """The watcher's state after each look at some folders; a look may be preceded by something that happens."""
    states = []

    async def run():
        watcher = Watcher(WatchSettings(mode=mode), Clock(), mounts=mounts)
        watcher.start(lambda: None)
        try:
            for folders, before in looks:
                before()
                watcher.follow_folders(folders)
                states.append(watcher.state)
        finally:
            watcher.stop()

    anyio.run(run)
    return states


def _nothing():
    """Nothing happens before the look."""


def _table(tmp_path, *mounts):
    """A mount table: (mount point, type) each."""
    path = tmp_path / "mountinfo"
    lines = [
        f"{number} 1 0:{number} / {point} rw,relatime shared:1 master:2 - {kind} source rw"
        for number, (point, kind) in enumerate(mounts, start=20)
    ]
    path.write_text("\n".join(lines) + "\n")
    return Mounts(path)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "vboxsf", "fuse.sshfs", "autofs"])
def test_auto_polls_where_others_write_past_the_kernel(tmp_path, kind):
    """And says why; folders on other file systems keep their events."""
    share, models = tmp_path / "my share", tmp_path / "models"
    share.mkdir()
    models.mkdir()
    mounts = _table(tmp_path, ("/", "ext4"), (str(share).replace(" ", "\\040"), kind))
    [state] = _following("auto", mounts, ([share, models], _nothing))
    assert ("native and poll", 1, 1, 5.0) == (state.in_use, state.watched, state.polled, state.rescan_seconds)
    assert (None, True) == (state.problem, f"lies on {kind}, where events cannot be relied on" in state.remark)


def test_native_on_a_share_watches_it_and_says_what_it_may_miss(tmp_path):
    """Somebody who asks for events gets them."""
    mounts = _table(tmp_path, ("/", "nfs4"))
    [state] = _following("native", mounts, ([tmp_path], _nothing))
    assert (1, 0, True) == (state.watched, state.polled, "may tell nothing" in state.remark)


def test_a_share_mounted_later_is_polled_from_then_on(tmp_path):
    """The mount table is read at every look."""
    mounts = _table(tmp_path, ("/", "ext4"))

    def mount():
        _table(tmp_path, ("/", "ext4"), (tmp_path, "cifs"))

    before, after = _following("auto", mounts, ([tmp_path], _nothing), ([tmp_path], mount))
    assert ("native", "poll", 1) == (before.in_use, after.in_use, after.polled)


def test_the_longest_and_newest_mount_counts(tmp_path):
    """One file system may be mounted in another, or over it."""
    mounts = _table(tmp_path, ("/", "ext4"), ("/srv", "nfs"), ("/srv", "xfs"), ("/srv/in", "fuseblk"), ("/s", "cifs"))
    mounts.refresh_mounts()
    kinds = [mounts.mount_of(path).kind for path in (tmp_path, tmp_path / "/srv/a", tmp_path / "/srv/in/b")]
    assert ["ext4", "xfs", "fuseblk"] == kinds
    assert not any(mounts.mount_of(tmp_path / path).is_deaf for path in ("/", "/srv/a", "/srv/in/b"))


def test_without_a_mount_table_nothing_is_known(tmp_path):
    """Another system than Linux: no file system is suspected."""
    mounts = Mounts(tmp_path / "none")
    mounts.refresh_mounts()
    assert None is mounts.mount_of(tmp_path)
