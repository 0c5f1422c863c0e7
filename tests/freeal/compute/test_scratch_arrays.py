"""Large arrays on disk: as any array, but in no memory, and gone with the last view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from freeal.compute import scratch_arrays


def _mapped_from(folder):
    """Files of a folder that this process has mapped."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]


def test_a_large_array_lies_in_the_folder_without_a_name(tmp_path):
    """It can be written and read, no file is to be seen, and nothing is left of it."""
    rows = scratch_arrays.FROM_BYTES // 400 + 1
    made = scratch_arrays.empty_scratch_array((rows, 100), np.float32, folder=tmp_path / "made")
    made[-1] = 7.0
    view = made[-2:]
    assert (np.ndarray, [0.0, 7.0]) == (type(made), [float(row[0]) for row in view])
    assert [] == list((tmp_path / "made").iterdir())
    assert len(_mapped_from(tmp_path)) == 1
    del made
    assert len(_mapped_from(tmp_path)) == 1
    del view
    assert [] == _mapped_from(tmp_path)


def test_a_small_array_and_one_without_a_folder_are_in_memory(tmp_path):
    """Nobody's folder is touched."""
    scratch_arrays.empty_scratch_array((10, 10), np.float32, folder=tmp_path / "made")
    assert [] == list(tmp_path.iterdir())
    assert scratch_arrays.empty_scratch_array((scratch_arrays.FROM_BYTES, 1), np.int8, folder=None).flags.owndata


def test_a_disk_without_room_says_so_at_once(tmp_path):
    """A mapped file that finds no room later would kill the process."""
    with pytest.raises(OSError, match=r"(?i)no space|too large"):
        scratch_arrays.empty_scratch_array((1 << 50,), np.int8, folder=tmp_path)


@pytest.mark.parametrize(("rows", "expected"), [(0, []), (5, [slice(0, 5)]), (7, [slice(0, 5), slice(5, 7)])])
def test_pieces_cover_all_rows_once(rows, expected):
    """In order, none empty."""
    assert expected == list(scratch_arrays.pieces(rows, at_once=5))


def test_half_precision_is_widened_to_compute_with():
    """And nothing else is copied."""
    values = np.ones(3)
    assert values is scratch_arrays.widened(values)
    assert np.float32 == scratch_arrays.widened(values.astype(np.float16)).dtype
