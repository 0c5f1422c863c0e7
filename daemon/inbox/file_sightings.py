"""When a file may be taken: it stood still for long enough. Pure functions of what was seen and of `now`.

Age is never judged by the file's own time: `cp -p`, `mv` and unzip bring old ones.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Mapping
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """One look at a folder's entry. `kind` is `file`, or what stands there instead."""

    size: int
    mtime_ns: int
    inode: int
    kind: str = "file"


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """A sighting and since when (steady seconds) it has been the same."""

    sighting: Sighting
    since: float


_KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFREG: "file",
}


def look(path: Path) -> Sighting:
    """Look at one entry without following links. Raises `OSError` when it is gone."""
    return _sighting(os.lstat(path))


def look_around(folder: Path) -> dict[str, Sighting]:
    """Every entry of a folder by name; an entry that vanishes meanwhile is left out, a missing folder is empty."""
    seen: dict[str, Sighting] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    seen[entry.name] = _sighting(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # renamed or deleted between listing and looking
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return seen


def _sighting(status: os.stat_result) -> Sighting:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "device")
    return Sighting(status.st_size, status.st_mtime_ns, status.st_ino, kind)


def observe(previous: Mapping[str, Observation], seen: Mapping[str, Sighting], *, now: float) -> dict[str, Observation]:
    """The new observations: an entry that looks as before keeps its `since`, any other begins at `now`."""
    return {
        name: before if (before := previous.get(name)) and before.sighting == sighting else Observation(sighting, now)
        for name, sighting in seen.items()
    }


def stable_at(observation: Observation, *, stability_seconds: float) -> float | None:
    """The moment (steady seconds) the file may be taken if it stays as it is; None while it is empty."""
    return observation.since + stability_seconds if observation.sighting.size else None
