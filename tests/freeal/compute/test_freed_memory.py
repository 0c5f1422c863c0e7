"""What was freed leaves the process."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from freeal.compute import freed_memory


def _resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc: there is nothing to trim")
def test_freed_pieces_leave_the_process():
    """Many small pieces that were freed between others that stay are given back."""
    pieces = [np.ones(12_000) for _ in range(2_000)]  # below the size that is mapped for itself
    kept = pieces[::50]
    before = _resident_mib()
    del pieces
    freed_memory.give_back_freed_memory()
    assert _resident_mib() < before - 100
    assert len(kept) == 40
