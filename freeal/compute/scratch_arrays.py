"""Large arrays that no memory has to hold: they lie in a file without a name, which goes with the last view of it.

The system keeps as much of them in memory as there is room for, and takes it back where something else wants it.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

FROM_BYTES = 64_000_000
"""Smaller ones are in memory."""
PIECE_ROWS = 20_000
"""Of what is computed from a large array, a result of so many rows at a time."""


def empty_scratch_array(shape: tuple[int, ...], dtype: DTypeLike, *, folder: Path | None) -> np.ndarray:
    """An array to be filled. In a file in `folder` where it is large, in memory without a folder.

    Raises `OSError` where the disk has no room for it: it is taken now, for a disk that is full later would kill.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if folder is None or size < FROM_BYTES:
        return np.empty(shape, dtype=dtype)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder, prefix=".scratch-") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return np.asarray(np.memmap(file, dtype=dtype, mode="r+", shape=shape))


def pieces(rows: int, *, at_once: int = PIECE_ROWS) -> Iterator[slice]:
    """Slices that cover so many rows; one where they are few."""
    for first in range(0, rows, at_once):
        yield slice(first, min(first + at_once, rows))


def widened(values: np.ndarray) -> np.ndarray:
    """float32 of what is kept in half precision, to compute with; anything else as it is."""
    return values.astype(np.float32) if values.dtype == np.float16 else values
