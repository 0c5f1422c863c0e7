"""pilot.json: what a pilot cost and took, what the rest will, and whether the label set fits. Light: reads one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freeal.errors import CorruptModelError, Where
from freeal.files import atomic_write

FILE_NAME = "pilot.json"
FORMAT = 1


def write(folder: Path, content: dict[str, Any]) -> None:
    """Put it into the folder of a finished pilot."""
    atomic_write.write_json(folder / FILE_NAME, {"format": FORMAT, **content})


def read_pilot_json(folder: Path) -> dict[str, Any]:
    """pilot.json of a pilot's folder. Raises `CorruptModelError`."""
    path = folder / FILE_NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise CorruptModelError("is of another version of this software", where=Where(file=path))
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise CorruptModelError("holds no pilot", where=Where(file=folder)) from cause
    return content
