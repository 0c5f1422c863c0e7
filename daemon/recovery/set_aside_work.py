"""Work folders that a restart cannot make sense of: kept under a hidden name, where no later start meets them."""

from __future__ import annotations

from pathlib import Path

from freeal.files import atomic_write

_END = ".set-aside"


def set_work_aside(folder: Path) -> Path:
    """Give a work folder its hidden name; where it lies then. Raises `OSError`."""
    kept = folder.with_name(f".{folder.name}{_END}")
    number = 2
    while kept.exists():
        kept, number = folder.with_name(f".{folder.name}-{number}{_END}"), number + 1
    folder.rename(kept)
    atomic_write.sync(folder.parent)
    return kept


def is_set_aside(folder: Path) -> bool:
    """Whether it bears such a name."""
    return folder.name.startswith(".") and folder.name.endswith(_END)


def warnings_of_work(work: Path) -> list[str]:
    """What `status` says of work that was set aside."""
    found = sorted(work.glob(f".*{_END}")) if work.is_dir() else []
    return [
        f"work that could not be read after a restart is set aside in {path}: take your files out of its folder "
        "`input`, drop them again, and delete it"
        for path in found
    ]
