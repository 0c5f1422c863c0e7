"""When a file may be taken."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from daemon.inbox.file_sightings import Observation, Sighting, look, look_around, observe, stable_at

SIGHTING = Sighting(size=10, mtime_ns=5, inode=7)


def test_an_unchanged_file_keeps_the_time_it_was_first_seen_so():
    """Looking often does not make a file younger."""
    first = observe({}, {"a": SIGHTING}, now=1.0)
    assert {"a": Observation(SIGHTING, 1.0)} == observe(first, {"a": SIGHTING}, now=9.0)


@given(st.sampled_from([{"size": 11}, {"mtime_ns": 6}, {"inode": 8}, {"kind": "folder"}]))
def test_any_change_starts_the_wait_anew(change):
    """Size, time, inode and kind each count; an equal size with another inode is another file."""
    seen = {"size": 10, "mtime_ns": 5, "inode": 7, "kind": "file"} | change
    first = observe({}, {"a": SIGHTING}, now=1.0)
    assert 9.0 == observe(first, {"a": Sighting(**seen)}, now=9.0)["a"].since


def test_an_old_modification_time_does_not_make_a_file_stable(tmp_path):
    """`cp -p`, `mv` and unzip bring old times: only how long we saw it stand still counts."""
    path = tmp_path / "a.csv"
    path.write_text("x")
    os.utime(path, (0, 0))
    seen = observe({}, look_around(tmp_path), now=100.0)
    assert 102.0 == stable_at(seen["a.csv"], stability_seconds=2.0)


def test_an_empty_file_is_never_stable():
    """Somebody has only just created it."""
    assert None is stable_at(Observation(Sighting(0, 5, 7), 1.0), stability_seconds=0.0)


def test_links_and_pipes_are_seen_for_what_they_are(tmp_path):
    """Nothing is followed and nothing is opened while looking."""
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    kinds = {name: sighting.kind for name, sighting in look_around(tmp_path).items()}
    assert {"link.csv": "symbolic link", "pipe.csv": "named pipe", "folder.csv": "folder"} == kinds
    assert "symbolic link" == look(tmp_path / "link.csv").kind


def test_a_missing_folder_is_empty(tmp_path):
    """A model without a predict folder is no error."""
    assert {} == look_around(tmp_path / "none")
