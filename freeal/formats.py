"""Which files are tables to us, by name. Light: the daemon's own process reads this and never the tables."""

from __future__ import annotations

from pathlib import PurePath

DATA_SUFFIXES = (".csv",)
"""Endings of the files that hold rows, lower case; an ending may have two parts."""


def is_data(name: str) -> bool:
    """Whether a file of this name holds rows."""
    return name.lower().endswith(DATA_SUFFIXES)


def data_stem(name: str) -> str:
    """The name without its ending: `reviews` for `reviews.csv`. A name that holds no rows loses its last suffix."""
    for suffix in sorted(DATA_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return PurePath(name).name[: -len(suffix)]
    return PurePath(name).stem
