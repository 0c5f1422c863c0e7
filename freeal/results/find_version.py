"""Which version of a model a folder stands for that somebody names."""

from __future__ import annotations

from pathlib import Path

from freeal.errors import CorruptModelError, Where

_ANSWERS = "answers.json"


def find_version(folder: Path) -> Path:
    """The version a folder stands for: itself, the newest of a model, or the results beside a classifier.

    Raises `CorruptModelError` where there is none.
    """
    whole = folder.resolve()  # `.` has no name, nor anything beside it
    beside = whole.parent / f"{whole.name}-results"
    for found in (whole if folder == Path() else folder, (folder / "model").resolve().parent, beside, whole.parent):
        if (found / _ANSWERS).is_file():
            return found
    raise CorruptModelError(
        f"holds no version that can be corrected: there is no {_ANSWERS}",
        where=Where(file=folder),
        hint="name models/NAME, one of its versions, or a folder that `freeal train` wrote",
    )
