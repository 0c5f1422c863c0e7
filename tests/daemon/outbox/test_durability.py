"""What is renamed into place was synced before, and the names are synced after: it survives a power cut."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from daemon.outbox import durable_file_moves
from daemon.outbox.model_shelf import Shelf
from freeal.files import atomic_write


@pytest.fixture
def order(tmp_path, monkeypatch):
    """What is synced and renamed below tmp_path, in order; names of temporary files end in `.tmp`."""
    seen, fsync, watching = [], os.fsync, [True]

    def synced(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_relative_to(tmp_path):
            seen.append(("sync", str(path.relative_to(tmp_path))))
        fsync(descriptor)

    def heard(event, arguments):
        if watching and event == "os.rename" and str(arguments[1]).startswith(str(tmp_path)):
            names = [str(Path(os.fsdecode(path)).relative_to(tmp_path)) for path in arguments[:2]]
            seen.append(("rename", *names))

    monkeypatch.setattr(os, "fsync", synced)
    sys.addaudithook(heard)  # cannot be taken away again, only silenced
    yield seen
    watching.clear()


def test_a_file_is_synced_before_it_gets_its_name_and_its_folder_after(tmp_path, order):
    """Temporary file, rename, folder."""
    with atomic_write.writing(tmp_path / "a.json") as stream:
        stream.write("{}")
    (first, temporary), (second, source, target), last = order
    assert ("sync", "rename", "a.json", ("sync", ".")) == (first, second, target, last)
    assert temporary == source


def test_every_file_of_a_version_is_synced_before_the_version_has_its_name(tmp_path, order):
    """The child's files may still be in the page cache; then both folders' names are synced."""
    output = tmp_path / "output"
    (output / "model").mkdir(parents=True)
    for name in ("annotated.csv", "model/model.safetensors"):
        (output / name).write_text("x")
    Shelf(tmp_path / "models", "reviews").publish_version(output, job_id="reviews-1", stem="may", keep_versions=1)
    renamed = order.index(("rename", "output", "models/reviews/versions/reviews-1"))
    before, after = set(order[:renamed]), order[renamed + 1 :]
    assert {
        ("sync", path) for path in ("output", "output/model", "output/annotated.csv", "output/model/model.safetensors")
    } <= before
    assert {("sync", "models/reviews/versions"), ("sync", "models"), ("sync", "models/reviews")} <= before | set(after)
    assert ("sync", "models/reviews/versions") in after
    linked = next(
        place for place, step in enumerate(order) if step[0] == "rename" and step[2] == "models/reviews/model"
    )
    assert linked > renamed
    assert ("sync", "models/reviews") in order[linked + 1 :]


def test_a_new_folders_name_is_synced_too(tmp_path, order):
    """Else the file moved into it would be lost with it."""
    durable_file_moves.make_folder(tmp_path / "inbox" / "done" / "a-1")
    assert [("sync", "."), ("sync", "inbox"), ("sync", "inbox/done")] == order


def test_a_removal_that_is_cut_off_leaves_nothing_under_the_name(tmp_path, order):
    """A half-deleted version must not pass for one: it loses its name first, and the rest is swept up later."""
    version = tmp_path / "versions" / "reviews-1"
    version.mkdir(parents=True)
    durable_file_moves.remove_folder(version)
    ((kind, source, target), synced) = order
    assert ("rename", "versions/reviews-1", ("sync", "versions")) == (kind, source, synced)
    left = tmp_path / target
    left.mkdir()
    (left / "file").touch()
    (tmp_path / "versions" / ".mine.tmp").touch()
    durable_file_moves.sweep_cut_off_moves(tmp_path / "versions")
    assert [".mine.tmp"] == [path.name for path in (tmp_path / "versions").iterdir()]
