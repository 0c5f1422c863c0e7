"""Names of files that are not worked with: they would not survive the way to `done`, or fool who reads them. Pure."""

from __future__ import annotations

import os

from freeal.text.printable_text import is_visible, one_line

MOST_BYTES = 128
"""A prediction that is replaced keeps its name plus the job's, 100 bytes, and is written under a longer one yet; a file
system takes 255."""


def objection_to_name(name: str) -> tuple[str, str] | None:
    """How to show a name that cannot be worked with, and what to do about it; None for any other."""
    length = len(os.fsencode(name))
    if not is_visible(name):
        return one_line(name), "its name holds characters that cannot be shown: rename it"
    if length > MOST_BYTES:
        return name, f"its name is {length} bytes long, at most {MOST_BYTES} can be worked with: rename it"
    return None
