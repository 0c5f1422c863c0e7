"""Where a command writes: freeal/files/output_file.py, output_folder_check.py."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from freeal.errors import ConfigError, FreealError
from freeal.files.output_file import output_file
from freeal.files.output_folder import free_folder, held_output_folder


def _write(said, content="new\n", **more):
    with output_file(said, key="--output-csv", **more).whole() as path:
        path.write_text(content, encoding="utf-8")


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    """Also where that is not there yet."""
    for name in ("there", "not-yet"):
        (tmp_path / f"{name}-link").symlink_to(tmp_path / name)
    (tmp_path / "there").write_text("old")
    for name in ("there", "not-yet"):
        _write(tmp_path / f"{name}-link")
        assert (True, "new\n") == ((tmp_path / f"{name}-link").is_symlink(), (tmp_path / name).read_text())


def test_a_file_with_two_names_keeps_both(tmp_path):
    """A rename would leave one of them with the old content."""
    (tmp_path / "a").write_text("old and longer")
    os.link(tmp_path / "a", tmp_path / "b")
    _write(tmp_path / "a")
    assert ("new\n", "new\n") == ((tmp_path / "a").read_text(), (tmp_path / "b").read_text())


def test_a_pipe_stays_and_its_reader_gets_all(tmp_path):
    """Whatever is between the check and the writing."""
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    _write(tmp_path / "pipe", "x" * 200_000)
    reader.join()
    assert (["x" * 200_000], True) == (got, stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode))


@pytest.mark.parametrize("said", ["-", "/dev/stdout", "/proc/self/fd/1"])
@pytest.mark.parametrize("target", ["pipe", "file"])
def test_standard_output_gets_the_content(tmp_path, said, target):
    """As a pipe, and as a file that the shell opened, which others may write to as well."""
    program = (
        "import pathlib\nfrom freeal.files.output_file import output_file\nprint('before')\n"
        f"with output_file(pathlib.Path({said!r}), key='k').whole() as path: path.write_text('new')\n"
    )
    run = [sys.executable, "-c", program]
    if target == "pipe":
        found = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    else:
        with (tmp_path / "out").open("w") as stream:
            subprocess.run(run, stdout=stream, check=True)
        found = (tmp_path / "out").read_text()
    assert "before\nnew" == found


def test_a_full_device_is_told():
    """By its name."""
    with pytest.raises(FreealError, match=r"/dev/full.*No space left"):
        _write(Path("/dev/full"))


def test_what_must_not_be_written_over_is_refused_before_anything_is_done(tmp_path):
    """A folder, the input under any name, a link to itself, a place that is not there."""
    (tmp_path / "in.csv").write_text("rows")
    (tmp_path / "alias").symlink_to(tmp_path / "in.csv")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for said, problem in (
        (tmp_path, "is a folder"),
        (tmp_path / "alias", "is the input itself"),
        (tmp_path / "loop", "leads back to itself"),
        (tmp_path / "nowhere" / "out.csv", "its folder is not there"),
        (tmp_path / "in.csv" / "out.csv", "cannot be written"),
    ):
        with pytest.raises(ConfigError, match=problem):
            output_file(said, key="--output-csv", inputs=[tmp_path / "in.csv"])


def test_what_was_there_stays_when_the_work_fails(tmp_path):
    """Nothing is poured into it."""
    (tmp_path / "a").write_text("old")
    os.link(tmp_path / "a", tmp_path / "b")
    with contextlib.suppress(KeyError), output_file(tmp_path / "a", key="k").whole() as path:
        path.write_text("half")
        raise KeyError
    assert "old" == (tmp_path / "a").read_text()


def _free(said):
    return free_folder(said, key="--output-model", ours=("freeal.json",))


def test_a_folder_in_use_is_refused(tmp_path):
    """Somebody's work, a file, a link within, a published version, a place below a file."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "README.md").write_text("mine")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "freeal.json").write_text("{}")
    (tmp_path / "ours" / "config.json").symlink_to(tmp_path / "work" / "README.md")
    (tmp_path / "versions" / "job" / "model").mkdir(parents=True)
    (tmp_path / "current").symlink_to(tmp_path / "versions" / "job" / "model")
    for name, problem in (
        ("work", "is in use: it holds README.md"),
        ("work/README.md", "is no folder"),
        ("work/README.md/model", "is no folder"),
        ("ours", "holds a link, config.json"),
        ("current", "is a version that the service published"),
        ("../../../../../../../../..", "is the root"),
    ):
        with pytest.raises(ConfigError, match=problem):
            _free(tmp_path / name)


def test_an_empty_folder_a_new_one_and_one_of_ours_are_free(tmp_path, monkeypatch):
    """So is the current folder, while it is empty."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "freeal.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert tmp_path / "empty" == _free(Path())
    for name in ("ours", "empty", "new", "deep/er"):
        assert tmp_path / name == _free(tmp_path / name)


def test_two_runs_do_not_fill_one_folder(tmp_path):
    """The second is told at once."""
    with (
        held_output_folder(tmp_path / "results"),
        pytest.raises(ConfigError, match="filled by another run"),
        held_output_folder(tmp_path / "results"),
    ):
        pass
