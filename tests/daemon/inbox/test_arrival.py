"""Files on their way in: what a row of looks at real folders makes of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from daemon.config import WatchSettings
from daemon.errors import ChangedFileError
from daemon.inbox import file_sightings
from daemon.inbox.claim_file import put_file_back, take_file
from daemon.inbox.folder_availability import Roots
from daemon.inbox.inbox_scan import Scanner
from daemon.inbox.pairing import Pair

CSV = "text\nfine\n"
SPEC = "description: x\nlabels: [a, b]\n"


@pytest.fixture
def settings(settings):
    """Files must stand still for two seconds."""
    return settings.model_copy(update={"watch": WatchSettings(stability_seconds=2.0)})


@pytest.fixture
def scanner(settings):
    """Looks at the test's folders."""
    return Scanner(settings)


@pytest.fixture
def inbox(settings):
    """The inbox."""
    return settings.inbox


def _ready(scanner, now):
    return [pair.csv for pair in scanner.scan(now).pairs.ready]


def _reasons(scan):
    return {entry.name: entry.reason for entry in scan.waiting}


def test_a_pair_renamed_in_is_ready_when_the_window_is_over(scanner, inbox, tmp_path):
    """Not before, not later, however old its files say they are."""
    for name, content in {"a.csv": CSV, "a.yaml": SPEC}.items():
        (tmp_path / name).write_text(content)
        os.utime(tmp_path / name, (0, 0))
        (tmp_path / name).rename(inbox / name)
    assert ([], 12.0) == (_ready(scanner, 10.0), scanner.scan(10.0).next_ready_at)
    assert ([], ["a.csv"]) == (_ready(scanner, 11.9), _ready(scanner, 12.0))


def test_a_file_that_grows_waits_until_it_stands_still(scanner, inbox):
    """A slow copy, looked at whenever it could be done."""
    (inbox / "a.yaml").write_text(SPEC)
    for now in (0.0, 2.0, 4.0):
        with (inbox / "a.csv").open("a") as stream:
            stream.write("text\n")
        assert [] == _ready(scanner, now)
    assert ([], ["a.csv"]) == (_ready(scanner, 5.9), _ready(scanner, 6.0))


def test_a_copy_that_sets_the_size_first_waits_too(scanner, inbox):
    """Some programs reserve the room and fill it: size stays, time moves."""
    (inbox / "a.yaml").write_text(SPEC)
    (inbox / "a.csv").write_bytes(b"\0" * 100)
    assert [] == _ready(scanner, 0.0)
    (inbox / "a.csv").write_bytes(b"text\n".ljust(100, b"x"))
    assert ([], ["a.csv"]) == (_ready(scanner, 2.0), _ready(scanner, 4.0))


def test_a_file_replaced_by_another_begins_to_wait_anew(scanner, inbox, tmp_path):
    """Same size, same time, another inode."""
    (inbox / "a.yaml").write_text(SPEC)
    for name in ("a", "b"):
        (tmp_path / name).write_text(CSV)
        os.utime(tmp_path / name, (5, 5))
    (tmp_path / "a").rename(inbox / "a.csv")
    assert [] == _ready(scanner, 0.0)
    (tmp_path / "b").rename(inbox / "a.csv")
    assert ([], ["a.csv"]) == (_ready(scanner, 2.0), _ready(scanner, 4.0))


def test_an_empty_csv_waits_until_something_is_in_it(scanner, inbox):
    """It is said, and time alone does not help."""
    (inbox / "a.yaml").write_text(SPEC)
    (inbox / "a.csv").touch()
    assert [] == _ready(scanner, 0.0)
    scan = scanner.scan(900.0)
    assert ({"a.csv": "is empty so far"}, None) == (_reasons(scan), scan.next_ready_at)
    (inbox / "a.csv").write_text(CSV)
    assert ([], ["a.csv"]) == (_ready(scanner, 901.0), _ready(scanner, 903.0))


@pytest.mark.parametrize("name", ["a.csv", "a.yaml"])
def test_an_editor_that_saves_by_renaming_starts_the_wait_anew(scanner, inbox, name):
    """Its own files are not looked at, and the half-saved state is never taken."""
    (inbox / "a.csv").write_text(CSV)
    (inbox / "a.yaml").write_text(SPEC)
    assert [] == _ready(scanner, 0.0)
    backup = inbox / f"{name}~"
    (inbox / name).rename(backup)  # vi: the old one aside, the new one under the name
    assert [] == _ready(scanner, 2.0)
    (inbox / f".{name}.swp").write_text("x")
    (inbox / f".{name}.x1").write_text("new" + CSV)
    (inbox / f".{name}.x1").rename(inbox / name)
    assert ([], ["a.csv"]) == (_ready(scanner, 3.0), _ready(scanner, 5.0))


@pytest.mark.parametrize("first", ["a.csv", "a.yaml"])
def test_either_may_come_first_by_minutes(scanner, inbox, first):
    """The one that is there says what it waits for; the other completes the pair."""
    contents = {"a.csv": CSV, "a.yaml": SPEC}
    (inbox / first).write_text(contents.pop(first))
    assert ([], [first]) == (_ready(scanner, 0.0), list(_reasons(scanner.scan(600.0))))
    [(other, content)] = contents.items()
    (inbox / other).write_text(content)
    assert ([], ["a.csv"]) == (_ready(scanner, 601.0), _ready(scanner, 603.0))


def test_a_predict_folder_moved_in_with_its_files_is_seen(scanner, settings):
    """A whole model folder too; without a finished version the file says so."""
    outside = settings.inbox.parent / "outside"
    (outside / "predict").mkdir(parents=True)
    (outside / "predict" / "new.csv").write_text(CSV)
    assert (settings.inbox, settings.models) == tuple(sorted(scanner.scan(0.0).folders))
    outside.rename(settings.models / "a")
    assert settings.models / "a" / "predict" in scanner.scan(1.0).folders
    assert {"a/predict/new.csv": "this model has no finished version"} == _reasons(scanner.scan(3.0))
    (settings.models / "a" / "versions" / "v" / "model").mkdir(parents=True)
    (settings.models / "a" / "model").symlink_to("versions/v/model")
    assert [("a", "new.csv")] == [(drop.model, drop.name) for drop in scanner.scan(3.0).drops]


def test_what_is_no_data_waits_in_a_predict_folder_too(scanner, settings):
    """With what to do."""
    predict = settings.models / "a" / "predict"
    (predict / "june").mkdir(parents=True)
    (predict / "b.xls").write_text("x")
    reasons = _reasons(scanner.scan(0.0))
    assert ["a/predict/b.xls", "a/predict/june"] == sorted(reasons)
    assert "save it as .xlsx or CSV" in reasons["a/predict/b.xls"]


def test_a_missing_inbox_is_said_and_heals(scanner, inbox):
    """Not taken for an empty one; what is dropped into the new one waits its time."""
    inbox.rmdir()
    scan = scanner.scan(0.0)
    assert {str(inbox): "is missing: make it again, or mount the share it lies on"} == _reasons(scan)
    inbox.mkdir()
    (inbox / "a.csv").write_text(CSV)
    (inbox / "a.yaml").write_text(SPEC)
    assert ([], ["a.csv"]) == (_ready(scanner, 1.0), _ready(scanner, 3.0))
    assert {} == _reasons(scanner.scan(3.0))


def test_an_inbox_that_became_a_file_is_said(scanner, inbox):
    """Somebody's copy went wrong."""
    inbox.rmdir()
    inbox.write_text("x")
    assert {str(inbox): "is no longer a folder: put one in its place"} == _reasons(scanner.scan(0.0))


def test_an_inbox_behind_a_link_is_followed(scanner, inbox, tmp_path):
    """Where the folder lies is the operator's choice, also later."""
    (tmp_path / "elsewhere").mkdir()
    inbox.rmdir()
    inbox.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "a.csv").write_text(CSV)
    assert ["a.csv"] == list(_reasons(scanner.scan(0.0)))


def test_folders_that_may_not_be_read_are_said_and_the_others_go_on(scanner, settings, inbox):
    """One model's predict folder without permission stops nothing else."""
    (inbox / "a.csv").write_text(CSV)
    (inbox / "a.yaml").write_text(SPEC)
    predict = settings.models / "m" / "predict"
    predict.mkdir(parents=True)
    predict.chmod(0)
    if os.access(predict, os.R_OK):
        pytest.skip("root may read everything")
    try:
        scanner.scan(0.0)
        scan = scanner.scan(2.0)
    finally:
        predict.chmod(0o755)
    assert (["a.csv"], [str(predict)]) == ([pair.csv for pair in scan.pairs.ready], list(_reasons(scan)))
    inbox.chmod(0)
    try:
        assert "cannot be read: Permission denied" in _reasons(scanner.scan(3.0))[str(inbox)]
    finally:
        inbox.chmod(0o755)


def test_a_share_that_is_unmounted_is_not_an_empty_inbox(tmp_path):
    """Once a mount point, then an ordinary folder: nothing is taken until it is mounted again."""
    roots = Roots()
    share = tmp_path / "share"
    share.symlink_to("/proc")  # a mount point on every machine
    assert None is roots.availability_problem(share)
    share.unlink()
    share.mkdir()
    assert "is no longer mounted" in roots.availability_problem(share)
    share.rmdir()
    share.symlink_to("/proc")
    assert None is roots.availability_problem(share)
    assert None is Roots().availability_problem(tmp_path)


@pytest.mark.parametrize("far", [False, True])
def test_a_file_taken_arrives_whole_and_is_gone(tmp_path, elsewhere, far):
    """Also between two file systems, where it is copied; its time stays."""
    source, target = tmp_path / "a.csv", (elsewhere if far else tmp_path) / "work" / "a.csv"
    source.write_text(CSV)
    os.utime(source, (5, 5))
    take_file(source, target, file_sightings.look(source))
    assert (CSV, 5.0, False) == (target.read_text(), target.stat().st_mtime, source.exists())
    assert ["a.csv"] == [path.name for path in target.parent.iterdir()]


@pytest.mark.parametrize("far", [False, True])
def test_a_file_that_changed_since_it_was_seen_stays_where_it_lay(tmp_path, elsewhere, far):
    """Nothing arrives, nothing is lost, nothing is left over."""
    source, target = tmp_path / "a.csv", (elsewhere if far else tmp_path) / "work" / "a.csv"
    source.write_text(CSV)
    seen = file_sightings.look(source)
    source.write_text(CSV + "more\n")
    with pytest.raises(ChangedFileError):
        take_file(source, target, seen)
    assert (CSV + "more\n", []) == (source.read_text(), list(target.parent.iterdir()))


@pytest.mark.parametrize("trouble", ["the disk fails", "the share is gone"])
def test_a_copy_that_cannot_be_seen_through_does_not_arrive(tmp_path, elsewhere, monkeypatch, trouble):
    """The file still lies where it lay, and is taken again from there: it must not be in two places."""
    folder, away, target = tmp_path / "share", tmp_path / "away", elsewhere / "a.csv"
    folder.mkdir()
    (folder / "a.csv").write_text(CSV)
    seen = file_sightings.look(folder / "a.csv")
    synced = []

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) == 2 and trouble == "the disk fails":  # of the folder, when the copy has its name
            raise OSError(errno.EIO, "Input/output error")
        if len(synced) == 2:
            folder.rename(away)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match=r"Input/output error|No such file"):
            take_file(folder / "a.csv", target, seen)
    assert [] == list(elsewhere.iterdir())
    assert CSV == ((away if away.exists() else folder) / "a.csv").read_text()


@pytest.mark.parametrize("far", [False, True])
def test_giving_a_file_back_overwrites_nothing(tmp_path, elsewhere, far):
    """A newer one of its name would have replaced it anyway."""
    origin, taken = tmp_path / "a.csv", (elsewhere if far else tmp_path) / "taken.csv"
    taken.write_text("old")
    put_file_back(taken, origin)
    assert ("old", False) == (origin.read_text(), taken.exists())
    taken.write_text("older")
    put_file_back(taken, origin)
    assert ("old", False) == (origin.read_text(), taken.exists())


def test_pairs_of_all_endings_are_ready_together(scanner, inbox):
    """Upper case, two-part and other endings; one look takes them all."""
    for name in ("a.CSV", "b.csv.gz", "c.tsv"):
        (inbox / name).write_text(CSV)
        (inbox / f"{name[0]}.YML").write_text(SPEC)
    scanner.scan(0.0)
    expected = (Pair("a.CSV", "a.YML"), Pair("b.csv.gz", "b.YML"), Pair("c.tsv", "c.YML"))
    assert expected == scanner.scan(2.0).pairs.ready


def test_a_share_that_says_twice_that_the_original_is_gone_has_not_lost_it(tmp_path, elsewhere, monkeypatch):
    """Its answer was lost and it was asked again: then the copy is all there is, and stays."""
    source, target = tmp_path / "a.csv", elsewhere / "a.csv"
    source.write_text(CSV)
    seen, unlink = file_sightings.look(source), Path.unlink

    def unlinked(path, missing_ok=False):
        if path == source:
            unlink(path)
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlinked)
        take_file(source, target, seen)
    assert (CSV, False) == (target.read_text(), source.exists())
