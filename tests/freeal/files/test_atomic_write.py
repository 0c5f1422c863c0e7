"""Files that are complete or absent."""

from __future__ import annotations

import pytest

from freeal.files import atomic_write


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    """An exception while writing changes nothing that was there and leaves no temporary behind."""
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write.writing(path) as stream:
        stream.write("half \ud800")
    assert (["out.txt"], "old") == ([entry.name for entry in tmp_path.iterdir()], path.read_text())


def test_newlines_are_written_as_given(tmp_path):
    """A carriage return inside a cell stays one."""
    with atomic_write.writing(tmp_path / "out.txt") as stream:
        stream.write("a\r\nb\rc\n")
    assert b"a\r\nb\rc\n" == (tmp_path / "out.txt").read_bytes()


def test_json_that_no_reader_would_take_is_refused(tmp_path):
    """NaN is an error here, not a file that breaks its reader."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic_write.write_json(tmp_path / "out.json", {"value": float("nan")})
    assert [] == list(tmp_path.iterdir())
