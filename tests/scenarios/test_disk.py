"""A disk that is full, over quota, failing or read-only: whatever was under way waits, nothing is given up or lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "kills"))  # shared with the benchmark, which is a script

import scenes
from matrix import Point, compare, fault_at, recorded

from daemon.journal.job_record import State
from freeal.testing.server import MessagesServer

WRITES = {"rename", "mkdir", "write", "symlink", "fsync"}
CASES = (
    (Point("daemon", "rename inbox/reviews.yaml -> .state/work/reviews-*/input/reviews.yaml"), "ENOSPC"),
    (Point("job", "mkdir .state/work/reviews-*/rounds"), "EDQUOT"),
    (Point("daemon", "rename .state/work/reviews-*/output -> models/reviews/versions/reviews-*"), "EROFS"),
    (Point("daemon", "write models/reviews/annotated/.reviews.csv.*.tmp"), "ENOSPC"),
    (Point("predict", "write .state/work/predict-reviews-*/.output.csv.*.tmp"), "EIO"),
    (Point("daemon", "mkdir models/reviews/done/predict-reviews-*"), "ENOSPC"),
)
"""Claim, round, publishing (twice), prediction, archive."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A server, a folder, and the first scene's undisturbed result."""
    with MessagesServer(answer=scenes.verdict) as server:
        folder = tmp_path_factory.mktemp("disk")
        stage = scenes.first(folder / "stage", server)
        reference = stage.copy_to(folder / "reference")
        reference.run()
        yield folder, stage, reference.picture()


@pytest.mark.parametrize(("point", "act"), CASES, ids=lambda value: getattr(value, "what", value).split("/")[-1])
def test_a_disk_that_fails_from_some_moment_on_loses_nothing(ground, point, act):
    """The run ends by itself, nothing is put to failed/ for it, and a run with room ends as an undisturbed one."""
    folder, stage, reference = ground
    copy = stage.copy_to(folder / f"{point.role}-{point.what.split('/')[-1]}")
    found = fault_at(copy, point, reference, act=act, lasting=True)
    assert (True, ()) == (found.reached, found.notes)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("name", ["first", "later"])
def test_a_full_disk_at_any_write_loses_nothing(tmp_path, name, lasting):
    """Every file, folder, link, rename and sync of all processes, failing once or together with all that follow.

    A pair whose claim failed once comes after the others: two versions are kept, so that the order changes nothing.
    """
    with MessagesServer(answer=scenes.verdict) as server:
        stage = getattr(scenes, name)(tmp_path / "stage", server, kept=2)
        (undisturbed := stage.copy_to(tmp_path / "reference")).run()
        reference = undisturbed.picture()
        wrong = {}
        for number, point in enumerate(recorded(stage.copy_to(tmp_path / "recorded"))):
            if point.what.split()[0] in WRITES:
                copy = stage.copy_to(tmp_path / str(number))
                found = fault_at(copy, point, reference, act="ENOSPC", lasting=lasting)
                wrong |= {} if found.is_clean else {(point.name, point.nth): found.notes}
                copy.remove()
        assert {} == wrong


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of one megabyte; skips where that is not permitted."""
    mounted = []

    def mount(folder):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder):
    """Take every byte there is; gives the file that holds them."""
    blob = folder / "blob"
    with blob.open("wb", buffering=0) as stream:
        for size in (4096, 1):
            try:
                while stream.write(b"x" * size):
                    continue
            except OSError:
                continue
    return blob


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", [".state", "models"])
def test_a_file_system_that_is_really_full_pauses_and_goes_on(tmp_path, small_disk, place):
    """The kernel's own refusal, SQLite's among them: exit 1 and nothing lost; with room the work is done."""
    with MessagesServer(answer=scenes.verdict) as server:
        stage = scenes.first(tmp_path / "stage", server)
        undisturbed = stage.copy_to(tmp_path / "reference")
        undisturbed.run()
        folder = stage.folder / place
        before = tmp_path / "before"
        if folder.exists():
            shutil.copytree(folder, before)
        small_disk(folder)
        if before.exists():
            shutil.copytree(before, folder, dirs_exist_ok=True)
        blob = _fill(folder)
        assert 1 == stage.run(), stage.beside("log").read_text()
        assert "Traceback" not in stage.beside("log").read_text()
        assert {"reviews.csv"} == {path.name for path in stage.folder.rglob("reviews.csv")}
        blob.unlink()
        stage.paid_before = len(server.requests)
        stage.run()
        found = compare(stage, undisturbed.picture())
        assert () == found.notes, stage.beside("log").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_models_folder_that_may_not_be_written_fails_the_job_clearly(ground):
    """Before anything is asked; with the permission mended, `retry` does the job."""
    folder, stage, _ = ground
    copy = stage.copy_to(folder / "read-only")
    shelf = copy.folder / "models" / "reviews"
    shelf.chmod(0o500)
    try:
        assert 1 == copy.run()
        [report] = copy.folder.glob("inbox/failed/reviews-*/error.json")
        assert ("PermissionError", str(shelf)) == (
            json.loads(report.read_text())["kind"],
            json.loads(report.read_text())["where"]["file"],
        )
    finally:
        shelf.chmod(0o700)


def test_a_work_folder_removed_by_hand_fails_its_job_clearly(ground):
    """The message names the file that is gone; the inputs dropped again are a job that succeeds."""
    folder, stage, _ = ground
    copy = stage.copy_to(folder / "removed")
    fuse = copy.beside("fuse")
    point = "commit .state/journal.sqlite (update jobs annotating)"
    copy.run({"role": "daemon", "point": point, "nth": 1, "act": "kill", "fuse": str(fuse)})
    shutil.rmtree(next((copy.folder / ".state" / "work").glob("reviews-*")))
    copy.run()
    with copy.journal() as journal:
        [job] = [job for job in journal.jobs() if job.name == "reviews"]
    assert (State.FAILED, "RefusedFileError") == (job.state, job.error["kind"])
    assert "reviews.csv" in job.error["where"]["file"]
    (copy.folder / "inbox" / "reviews.csv").write_text(scenes.rows(4))
    (copy.folder / "inbox" / "reviews.yaml").write_text(scenes.SPEC)
    copy.run()
    assert (copy.folder / "models" / "reviews" / "annotated" / "reviews.csv").is_file()
