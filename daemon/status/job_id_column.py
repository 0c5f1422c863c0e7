"""The column of ids in a table for a terminal."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console
from rich.table import Column

OTHERS_WIDTH = 30
"""Characters the other columns need at least to be read."""


def id_column(header: str, ids: Collection[str], console: Console) -> Column:
    """An id is typed or pasted into `retry` and `cancel`: it stays on one line where the terminal is wide enough, and
    the other columns fold. Where it is not, the id folds too rather than lose its end."""
    longest = max(map(len, ids), default=0)
    return Column(header, overflow="fold", no_wrap=longest + OTHERS_WIDTH <= console.width)
