"""Rows of predictions that a language model was asked about: kept beside the version that asked, for the next one.

`asked.jsonl` in a version's folder: a line for each text, appended when its row is written. A text that stands there
twice counts once, by its last line; a line that a crash cut off is left out.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from freeal.errors import CorruptModelError, Where

FILE_NAME = "asked.jsonl"


@dataclasses.dataclass(frozen=True, slots=True)
class AskedText:
    """A text, its row's cells by text column, what the language model said with which confidence, and what the student
    had said."""

    text: str
    values: Mapping[str, str]
    label: str
    confidence: float
    student_label: str


def add_asked_texts(version: Path, asked: Sequence[AskedText]) -> None:
    """Behind what is there; on the disk when this returns. Raises `OSError`."""
    if not asked:
        return
    lines = "".join(json.dumps(dataclasses.asdict(one), ensure_ascii=True) + "\n" for one in asked)
    with (version / FILE_NAME).open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # a crash cut the last line off
                lines = "\n" + lines
        stream.write(lines.encode())
        stream.flush()
        os.fsync(stream.fileno())


def read_asked_texts(version: Path) -> list[AskedText]:
    """What was asked since the version was made, each text once. Raises `CorruptModelError`."""
    path = version / FILE_NAME
    found: dict[str, AskedText] = {}
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as cause:
        raise CorruptModelError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    for line in content.split(b"\n"):
        try:
            one = AskedText(**json.loads(line))
        except (ValueError, TypeError):
            continue  # cut off by a crash: its row is asked for again, and answered from the store
        found[one.text] = one
    return list(found.values())
