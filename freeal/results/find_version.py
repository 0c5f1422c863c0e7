"""Which version of a model a folder stands for that somebody names."""

from __future__ import annotations

from pathlib import Path

from freeal.errors import ConfigError, CorruptModelError, Where
from freeal.files import model_folders
from freeal.text.closest_name import nearest

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


def finished_versions(folder: Path) -> list[Path]:
    """The finished versions of a model's folder, by name."""
    return sorted(one.parent for one in (folder / "versions").glob(f"*/{model_folders.METRICS}"))


def find_version_by_name(folder: Path, said: str) -> Path:
    """The version of a model's folder that somebody names, or whose folder is given. Raises `ConfigError`."""
    for place in (folder / "versions" / said, Path(said)):
        if (found := model_folders.results_folder(place)).is_dir() and (found / model_folders.METRICS).is_file():
            return found.resolve()
    names = [one.name for one in finished_versions(folder)]
    guess = nearest(said, names)
    hint = f"did you mean {guess!r}?" if guess else f"versions: {', '.join(names) or 'none'}"
    raise ConfigError(f"{said!r} is no version of it", where=Where(file=folder), hint=hint)
